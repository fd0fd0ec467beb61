// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// A tensor to be written; `bytes` must be as long as `dtype` and `shape` ask for.
struct NamedTensor {
    std::string name;
    std::string dtype; ///< "F32", "U8", ...
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
};

/// A safetensors image: the tensors in order of falling element size, then name, so that each is aligned.
std::vector<std::byte> write_safetensors(std::vector<NamedTensor> tensors);

} // namespace sdfleet::pipeline
