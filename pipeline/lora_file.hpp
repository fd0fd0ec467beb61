// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/lora_key.hpp"
#include "pipeline/safetensors_file.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// What a LoRA does to one layer: its weight W becomes W + weight * scale * up x down. `down` is [rank, in] or
/// [rank, in, k, k], `up` [out, rank] or [out, rank, 1, 1]; both are floating point and agree in rank.
struct LoraLayer {
    LoraTarget target = LoraTarget::unet;
    std::string module; ///< LoraKey::module
    std::string key;    ///< of `down`, as the file spells it
    TensorView down;
    TensorView up;
    double scale = 1; ///< alpha / rank; 1 where the file names no alpha
};

/// A LoRA in a safetensors file, read and checked as far as that goes without the model. It is a copy of the file, which
/// may change or go afterwards.
class LoraFile {
public:
    /// Errors: ExitCode::bad_input, beginning with the path; a tensor that is no part of a LoRA is named by its key.
    static base::Result<LoraFile> open(const std::filesystem::path& path);

    LoraFile(LoraFile&&) noexcept = default;
    LoraFile& operator=(LoraFile&&) noexcept = default;

    const std::filesystem::path& path() const { return path_; }
    const std::vector<LoraLayer>& layers() const { return layers_; } ///< in the order of their keys
    std::size_t size_bytes() const { return bytes_.size(); }
    const std::string& sha256() const { return sha256_; }           ///< of the file
    const std::string& data_sha256() const { return data_sha256_; } ///< of what follows the header

private:
    LoraFile() = default;

    std::filesystem::path path_;
    std::vector<std::byte> bytes_;
    std::vector<LoraLayer> layers_; ///< its views point into bytes_
    std::string sha256_;
    std::string data_sha256_;
};

} // namespace sdfleet::pipeline
