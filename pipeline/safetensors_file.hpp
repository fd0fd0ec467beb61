// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// One tensor of a safetensors file. `bytes` points into the file's mapping and may be unaligned for its type.
struct TensorView {
    std::string dtype; ///< as the format spells it: "F32", "F16", "BF16", "I64", ...
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
};

using TensorViews = std::map<std::string, TensorView, std::less<>>;

/// Reads a safetensors image: u64 little-endian header length, JSON header, data. The input is not trusted: the header
/// is at most 100 MB, every tensor's range must equal its type and shape, ranges must cover the data without hole or
/// overlap, and no name may occur twice. Errors are ExitCode::bad_input and begin with `where`.
base::Result<TensorViews> parse_safetensors(std::span<const std::byte> file, const std::string& where);

/// Bytes of one element of a safetensors type; 0 for a type that the format does not know.
std::size_t safetensors_element_bytes(std::string_view dtype);

/// A safetensors file mapped read-only; the views live as long as this object. Nobody may shorten the file meanwhile.
class SafetensorsFile {
public:
    static base::Result<SafetensorsFile> open(const std::filesystem::path& path);

    SafetensorsFile(SafetensorsFile&& other) noexcept;
    SafetensorsFile& operator=(SafetensorsFile&& other) noexcept;
    ~SafetensorsFile();

    const TensorViews& tensors() const { return tensors_; }

private:
    SafetensorsFile() = default;

    std::span<const std::byte> mapping_;
    TensorViews tensors_;
};

} // namespace sdfleet::pipeline
