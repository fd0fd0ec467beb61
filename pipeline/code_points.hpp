// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include <unicode/utf8.h>

namespace sdfleet::pipeline {

/// The code point of well-formed UTF-8 `text` that begins at `position`, which is advanced past it.
inline UChar32 next_code_point(std::string_view text, std::size_t& position)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion" // inside ICU's macro
    UChar32 c = 0;
    U8_NEXT(text.data(), position, text.size(), c);
#pragma GCC diagnostic pop
    return c;
}

} // namespace sdfleet::pipeline
