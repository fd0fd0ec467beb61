// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/lora_key.hpp"
#include "pipeline/safetensors_file.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>

namespace sdfleet::pipeline {

/// How strong the layers of a LoRA file without alpha tensors are: 1, unless its header carries the configuration of
/// PEFT ("lora_adapter_metadata"), as files that diffusers saves since 2025 may.
class LoraScaling {
public:
    /// `header` is the JSON text of a safetensors file that parse_safetensors has passed. Fails with ExitCode::bad_input,
    /// beginning with `where`, for a configuration that cannot be followed.
    static base::Result<LoraScaling> read(std::span<const std::byte> header, const std::string& where);

    double scale(LoraTarget target, const std::string& module, double rank) const;

private:
    struct Config {
        std::optional<double> alpha;
        std::map<std::string, double> alpha_of; ///< by a module's name or the end of one, '_' for '.'
        bool by_root_of_rank = false;           ///< https://arxiv.org/abs/2312.03732
    };

    std::map<LoraTarget, Config> configs_;
};

/// The number in a tensor of one element; nothing if it is not one, or not finite.
std::optional<double> scalar_value(const TensorView& view);

} // namespace sdfleet::pipeline
