// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_file.hpp"

#include "base/sha256.hpp"
#include "pipeline/lora_scaling.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace sdfleet::pipeline {

namespace {

constexpr std::uintmax_t max_file_bytes = std::uintmax_t{4} << 30;
constexpr std::size_t length_bytes = 8; // of the header's length, before the header

tl::unexpected<base::Error> bad(const std::filesystem::path& path, const std::string& what)
{
    return base::fail(base::ExitCode::bad_input, path.string() + ": " + what);
}

base::Result<std::vector<std::byte>> read_whole(const std::filesystem::path& path)
{
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) {
        return bad(path, "there is no such LoRA file");
    }
    if (!std::filesystem::is_regular_file(status)) {
        return bad(path, "not a file; a LoRA is one .safetensors file");
    }
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error || size > max_file_bytes) {
        return bad(path, error ? error.message() : "larger than any LoRA; is it a model?");
    }
    std::vector<std::byte> bytes(size);
    std::ifstream file(path, std::ios::binary);
    if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size))) {
        return bad(path, std::string("cannot be read: ") + std::strerror(errno));
    }
    return bytes;
}

/// Of a file that parse_safetensors has passed.
std::size_t header_length(std::span<const std::byte> file)
{
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
        length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
    }
    return length;
}

std::string shape_text(const std::vector<std::int64_t>& shape)
{
    std::string text;
    for (const std::int64_t size : shape) {
        text += (text.empty() ? "" : ", ") + std::to_string(size);
    }
    return "[" + text + "]";
}

/// The tensors of one layer while they are gathered.
struct Parts {
    std::map<LoraPart, std::pair<std::string, TensorView>> by_part; ///< with their keys
};
using Layers = std::map<std::tuple<LoraTarget, std::string>, Parts>;

/// What is wrong with the two factors; empty if nothing.
std::string fault_of(const TensorView& down, const TensorView& up)
{
    const auto floating = [](const TensorView& t) {
        return t.dtype == "F32" || t.dtype == "F16" || t.dtype == "BF16" || t.dtype == "F64";
    };
    const auto sizes = [](const TensorView& t) { return t.shape.size() == 2 || t.shape.size() == 4; };
    if (!floating(down) || !floating(up)) {
        return "is not floating point";
    }
    if (!sizes(down) || !sizes(up) || down.bytes.empty() || up.bytes.empty()) {
        return "has shape " + shape_text(down.shape) + " and its counterpart " + shape_text(up.shape) +
               ", which is not a LoRA's";
    }
    const bool pointwise = up.shape.size() == 2 || (up.shape[2] == 1 && up.shape[3] == 1);
    if (up.shape[1] != down.shape[0] || !pointwise) {
        return "of shape " + shape_text(down.shape) + " does not fit its counterpart of shape " + shape_text(up.shape);
    }
    return {};
}

base::Result<Layers> gather(const std::filesystem::path& path, const TensorViews& tensors)
{
    for (const auto& [key, view] : tensors) {
        if (const auto kind = other_adapter_kind(key); !kind.empty()) {
            return bad(path, "tensor '" + key + "' is of a " + std::string(kind) +
                                 ", which is not supported; only plain LoRA is (pairs of lora_down and lora_up, or "
                                 "lora_A and lora_B)");
        }
    }
    Layers layers;
    for (const auto& [key, view] : tensors) {
        const auto parsed = parse_lora_key(key);
        if (!parsed) {
            return bad(path,
                       "tensor '" + key + "' is no part of a LoRA (lora_down and lora_up, lora_A and lora_B, alpha)");
        }
        auto& parts = layers[{parsed->target, parsed->module}].by_part;
        const auto [at, is_new] = parts.emplace(parsed->part, std::pair(key, view));
        if (!is_new) {
            return bad(path, "tensors '" + at->second.first + "' and '" + key + "' are for the same layer");
        }
    }
    return layers;
}

base::Result<LoraLayer> to_layer(const std::filesystem::path& path, const std::string& module, LoraTarget target,
                                 const Parts& parts, const LoraScaling& scaling)
{
    const auto down = parts.by_part.find(LoraPart::down);
    const auto up = parts.by_part.find(LoraPart::up);
    if (down == parts.by_part.end() || up == parts.by_part.end()) {
        return bad(path, "tensor '" + parts.by_part.begin()->second.first + "' has no counterpart: its layer lacks " +
                             (down == parts.by_part.end() ? "lora_down" : "lora_up"));
    }
    const auto& [key, view] = down->second;
    if (const std::string fault = fault_of(view, up->second.second); !fault.empty()) {
        return bad(path, "tensor '" + key + "' " + fault);
    }
    LoraLayer layer{target, module, key, view, up->second.second, 1};
    const auto rank = static_cast<double>(view.shape[0]);
    const auto alpha = parts.by_part.find(LoraPart::alpha);
    if (alpha == parts.by_part.end()) {
        layer.scale = scaling.scale(target, module, rank);
        return layer;
    }
    const auto value = scalar_value(alpha->second.second);
    if (!value) {
        return bad(path, "tensor '" + alpha->second.first + "' is not one finite number");
    }
    layer.scale = *value / rank;
    return layer;
}

} // namespace

base::Result<LoraFile> LoraFile::open(const std::filesystem::path& path)
{
    auto bytes = read_whole(path);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    LoraFile file;
    file.path_ = path;
    file.bytes_ = std::move(*bytes);
    const std::span<const std::byte> all(file.bytes_);
    const auto tensors = parse_safetensors(all, path.string());
    if (!tensors) {
        return tl::unexpected(tensors.error());
    }
    if (tensors->empty()) {
        return bad(path, "it holds no tensor");
    }
    const std::size_t header_bytes = header_length(all);
    const auto scaling = LoraScaling::read(all.subspan(length_bytes, header_bytes), path.string());
    if (!scaling) {
        return tl::unexpected(scaling.error());
    }
    const auto gathered = gather(path, *tensors);
    if (!gathered) {
        return tl::unexpected(gathered.error());
    }
    for (const auto& [place, parts] : *gathered) {
        auto layer = to_layer(path, std::get<1>(place), std::get<0>(place), parts, *scaling);
        if (!layer) {
            return tl::unexpected(layer.error());
        }
        file.layers_.push_back(std::move(*layer));
    }
    std::ranges::sort(file.layers_, {}, &LoraLayer::key);
    file.sha256_ = base::sha256_hex(all);
    file.data_sha256_ = base::sha256_hex(all.subspan(length_bytes + header_bytes));
    return file;
}

} // namespace sdfleet::pipeline
