// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/lora_choice.hpp"
#include "pipeline/lora_file.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// Writes LoRAs into a pipeline's parameters and takes them out again. Sums are computed in fp32, from the unchanged
/// parameters, and rounded once to the parameter's type. A copy of every changed parameter is kept while it is changed, so
/// that other LoRAs, or none, find the model as it was loaded, to the byte. One thread at a time.
class LoraFuser {
public:
    using Parameters = std::map<std::string, at::Tensor>; ///< by name; the model's own tensors, not copies

    explicit LoraFuser(const std::map<LoraTarget, Parameters>& models);

    /// From now on the models are what they were when loaded, plus `loras`, and plus nothing else. Does nothing where they
    /// are already; the order of `loras` does not matter. Returns those whose weight is not 0. Errors:
    /// ExitCode::bad_input for a file that is no LoRA, or one for another architecture, naming the first key that does not
    /// fit, with the models as they were; ExitCode::failed when the library fails (out of memory), with the models
    /// undefined until the next call, which begins from the kept copies.
    base::Result<std::vector<LoraUse>> apply(const std::vector<LoraChoice>& loras);

private:
    struct Cached {
        std::filesystem::file_time_type changed;
        std::uintmax_t size = 0;
        std::shared_ptr<const LoraFile> file;
    };
    using Place = std::pair<LoraTarget, std::string>; ///< a layer: of which model, LoraKey::module
    struct Change {
        const LoraLayer* layer = nullptr;
        double factor = 1;
    };
    using Changes = std::map<Place, std::vector<Change>>;
    using Fused = std::vector<std::pair<std::string, double>>; ///< SHA-256 and weight, sorted

    base::Result<std::shared_ptr<const LoraFile>> open(const std::filesystem::path& path);
    void remember(const std::filesystem::path& path, Cached entry);
    base::Result<void> add_changes(const LoraFile& file, double weight, Changes& changes) const;
    std::string module_in_unet(const std::string& module) const;
    void fuse(const Changes& changes);

    std::map<Place, std::pair<std::string, at::Tensor>> layers_; ///< name and weight
    std::map<Place, at::Tensor> originals_;                      ///< of the weights that are changed now
    std::size_t resnets_ = 0;                                    ///< in each down block of the UNet
    Fused fused_;
    bool certain_ = true; ///< false: the library failed while the models were being changed
    std::vector<std::pair<std::filesystem::path, Cached>> cache_; ///< the last used is last
};

} // namespace sdfleet::pipeline
