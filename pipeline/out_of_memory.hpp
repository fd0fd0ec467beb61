// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace sdfleet::pipeline {

/// Whether a failure of the library, in its words, was a lack of memory. It has no exception of its own for that on the
/// CPU, and an error that passed base::Error has only its text.
inline bool is_out_of_memory(std::string_view message)
{
    constexpr std::array words{std::string_view("out of memory"), std::string_view("allocate memory"),
                               std::string_view("bad_alloc"), std::string_view("CUBLAS_STATUS_ALLOC_FAILED"),
                               std::string_view("CUDNN_STATUS_ALLOC_FAILED")};
    return std::ranges::any_of(words,
                               [&](std::string_view word) { return message.find(word) != std::string_view::npos; });
}

} // namespace sdfleet::pipeline
