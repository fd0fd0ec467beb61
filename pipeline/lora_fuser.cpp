// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_fuser.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <sstream>

#include <ATen/ops/empty.h>

namespace sdfleet::pipeline {

namespace {

constexpr std::size_t max_cached_files = 16;
constexpr std::size_t max_cached_bytes = std::size_t{1} << 30;

std::string shape_text(at::IntArrayRef shape)
{
    std::ostringstream text;
    text << shape;
    return text.str();
}

at::ScalarType scalar_type(const std::string& dtype)
{
    return dtype == "F32"    ? at::kFloat
           : dtype == "F16"  ? at::kHalf
           : dtype == "BF16" ? at::kBFloat16
                             : at::kDouble; // LoraFile lets nothing else through
}

/// In fp32 as a matrix, [first size, all others], where `like` is.
at::Tensor to_matrix(const TensorView& view, const at::Tensor& like)
{
    at::Tensor tensor = at::empty(view.shape, at::TensorOptions().dtype(scalar_type(view.dtype)));
    std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    return tensor.view({view.shape[0], -1}).to(like.options().dtype(at::kFloat));
}

/// [C, C] and [C, C, 1, 1] are the same layer.
std::vector<std::int64_t> without_ones(std::vector<std::int64_t> shape)
{
    if (shape.size() == 4 && shape[2] == 1 && shape[3] == 1) {
        shape.resize(2);
    }
    return shape;
}

bool fits(const LoraLayer& layer, at::IntArrayRef weight)
{
    if (weight.size() < 2) {
        return false;
    }
    std::vector<std::int64_t> expected = weight.vec(); // of a down whose rank were the number of outputs
    expected[0] = layer.down.shape[0];
    return layer.up.shape[0] == weight[0] && without_ones(layer.down.shape) == without_ones(expected);
}

/// Some files hold the UNet's layers under both kinds of names; those of diffusers then count, as they do there.
bool has_both_names(const LoraFile& file)
{
    const auto is_diffusers_module = [](const std::string& module) {
        return module.starts_with("down_blocks_") || module.starts_with("mid_block_") ||
               module.starts_with("up_blocks_");
    };
    return std::ranges::any_of(file.layers(), is_checkpoint_module, &LoraLayer::module) &&
           std::ranges::any_of(file.layers(), is_diffusers_module, &LoraLayer::module);
}

/// Residual blocks in the UNet's first down block; the published UNets have the same number in each.
std::size_t count_resnets(const LoraFuser::Parameters& unet)
{
    std::size_t count = 0;
    while (unet.contains("down_blocks.0.resnets." + std::to_string(count) + ".conv1.weight")) {
        ++count;
    }
    return count;
}

} // namespace

LoraFuser::LoraFuser(const std::map<LoraTarget, Parameters>& models)
{
    for (const auto& [target, parameters] : models) {
        for (const auto& [name, tensor] : parameters) {
            if (const auto module = flat_module_name(target, name)) {
                layers_.emplace(Place(target, *module), std::pair(name, tensor));
            }
        }
        if (target == LoraTarget::unet) {
            resnets_ = count_resnets(parameters);
        }
    }
}

base::Result<std::vector<LoraUse>> LoraFuser::apply(const std::vector<LoraChoice>& loras)
{
    std::vector<LoraUse> uses;
    std::vector<std::pair<std::shared_ptr<const LoraFile>, double>> files;
    for (const LoraChoice& lora : loras) {
        const auto file = open(lora.path);
        if (!file) {
            return tl::unexpected(file.error());
        }
        files.emplace_back(*file, lora.weight);
        if (lora.weight != 0) {
            uses.push_back({lora_name(lora.path), (*file)->sha256(), (*file)->data_sha256(), lora.weight});
        }
    }
    // Sums of floating-point numbers depend on their order, so it is always the same one.
    std::ranges::sort(files, {}, [](const auto& f) { return std::pair(f.first->sha256(), f.second); });
    Fused wanted;
    Changes changes;
    for (const auto& [file, weight] : files) {
        if (auto fine = add_changes(*file, weight, changes); !fine) {
            return tl::unexpected(fine.error());
        }
        if (weight != 0) {
            wanted.emplace_back(file->sha256(), weight);
        }
    }
    if (certain_ && wanted == fused_) {
        return uses;
    }
    certain_ = false;
    try {
        fuse(changes);
    } catch (const std::exception& error) {
        const std::string text = error.what();
        return base::fail(base::ExitCode::failed, "cannot apply the LoRAs: " + text.substr(0, text.find('\n')));
    }
    fused_ = std::move(wanted);
    certain_ = true;
    return uses;
}

base::Result<std::shared_ptr<const LoraFile>> LoraFuser::open(const std::filesystem::path& path)
{
    std::error_code ignored; // LoraFile::open says it better
    Cached now{std::filesystem::last_write_time(path, ignored), std::filesystem::file_size(path, ignored), nullptr};
    const auto cached = std::ranges::find(cache_, path, &std::pair<std::filesystem::path, Cached>::first);
    if (cached != cache_.end() && cached->second.changed == now.changed && cached->second.size == now.size) {
        std::rotate(cached, cached + 1, cache_.end());
        return cache_.back().second.file;
    }
    auto file = LoraFile::open(path);
    if (!file) {
        return tl::unexpected(file.error());
    }
    now.file = std::make_shared<const LoraFile>(std::move(*file));
    remember(path, now);
    return now.file;
}

void LoraFuser::remember(const std::filesystem::path& path, Cached entry)
{
    std::erase_if(cache_, [&](const auto& cached) { return cached.first == path; });
    cache_.emplace_back(path, std::move(entry));
    std::size_t bytes = 0;
    for (const auto& [_, cached] : cache_) {
        bytes += cached.file->size_bytes();
    }
    while (cache_.size() > max_cached_files || (bytes > max_cached_bytes && cache_.size() > 1)) {
        bytes -= cache_.front().second.file->size_bytes();
        cache_.erase(cache_.begin());
    }
}

std::string LoraFuser::module_in_unet(const std::string& module) const
{
    return layers_.contains(Place(LoraTarget::unet, module)) ? module : from_checkpoint_module(module, resnets_);
}

base::Result<void> LoraFuser::add_changes(const LoraFile& file, double weight, Changes& changes) const
{
    const bool twice = has_both_names(file);
    for (const LoraLayer& layer : file.layers()) {
        if (twice && is_checkpoint_module(layer.module)) {
            continue;
        }
        const auto bad = [&](const std::string& what) {
            return base::fail(base::ExitCode::bad_input, file.path().string() + ": tensor '" + layer.key + "' " + what +
                                                             "; this LoRA is for another architecture");
        };
        const Place place(layer.target, layer.target == LoraTarget::unet ? module_in_unet(layer.module) : layer.module);
        const auto found = layers_.find(place);
        if (found == layers_.end()) {
            return bad(std::string("is for a layer that this model's ") + to_text(layer.target) + " does not have");
        }
        const auto& [name, parameter] = found->second;
        if (!fits(layer, parameter.sizes())) {
            return bad("has shape " + shape_text(layer.down.shape) + " and its counterpart " +
                       shape_text(layer.up.shape) + ", but " + to_text(layer.target) + "'s '" + name + "' has shape " +
                       shape_text(parameter.sizes()));
        }
        if (weight != 0) {
            changes[place].push_back({&layer, weight * layer.scale});
        }
    }
    return {};
}

void LoraFuser::fuse(const Changes& changes)
{
    // Those that change no more first: it makes room.
    for (auto original = originals_.begin(); original != originals_.end();) {
        if (changes.contains(original->first)) {
            ++original;
            continue;
        }
        layers_.at(original->first).second.copy_(original->second);
        original = originals_.erase(original);
    }
    for (const auto& [place, of_layer] : changes) {
        const at::Tensor& parameter = layers_.at(place).second;
        auto original = originals_.find(place);
        if (original == originals_.end()) {
            original = originals_.emplace(place, parameter.clone()).first;
        }
        const at::Tensor sum = original->second.to(at::kFloat, false, true, at::MemoryFormat::Contiguous);
        for (const Change& change : of_layer) {
            sum.view({sum.size(0), -1})
                .addmm_(to_matrix(change.layer->up, sum), to_matrix(change.layer->down, sum), 1, change.factor);
        }
        parameter.copy_(sum);
    }
}

} // namespace sdfleet::pipeline
