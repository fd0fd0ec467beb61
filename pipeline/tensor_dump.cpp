// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tensor_dump.hpp"

#include "pipeline/safetensors_writer.hpp"

#include <array>
#include <utility>

namespace sdfleet::pipeline {

void TensorDump::Stack::add(const HostTensor& tensor)
{
    shape = tensor.shape;
    values.insert(values.end(), tensor.values.begin(), tensor.values.end());
}

void TensorDump::add(const Picture& picture)
{
    ++count_;
    prompt_embeds_.add(picture.prompt_embeds);
    negative_prompt_embeds_.add(picture.negative_prompt_embeds);
    pooled_prompt_embeds_.add(picture.pooled_prompt_embeds);
    negative_pooled_prompt_embeds_.add(picture.negative_pooled_prompt_embeds);
    latents_.add(picture.latents);
    image_shape_ = {picture.parameters.height, picture.parameters.width, 3};
    const auto& decoded = picture.decoded_rgb.empty() ? picture.rgb : picture.decoded_rgb;
    image_.insert(image_.end(), decoded.begin(), decoded.end());
}

std::vector<std::byte> TensorDump::to_safetensors() const
{
    const auto stacked = [this](std::vector<std::int64_t> shape) {
        shape.insert(shape.begin(), count_);
        return shape;
    };
    std::vector<NamedTensor> tensors{
        {"prompt_embeds", "F32", stacked(prompt_embeds_.shape), std::as_bytes(std::span(prompt_embeds_.values))},
        {"latents", "F32", stacked(latents_.shape), std::as_bytes(std::span(latents_.values))},
        {"image", "U8", stacked(image_shape_), std::as_bytes(std::span(image_))},
    };
    const std::array<std::pair<const char*, const Stack*>, 3> where_present{{
        {"negative_prompt_embeds", &negative_prompt_embeds_},
        {"pooled_prompt_embeds", &pooled_prompt_embeds_},
        {"negative_pooled_prompt_embeds", &negative_pooled_prompt_embeds_},
    }};
    for (const auto& [name, stack] : where_present) {
        if (!stack->values.empty()) {
            tensors.push_back({name, "F32", stacked(stack->shape), std::as_bytes(std::span(stack->values))});
        }
    }
    return write_safetensors(std::move(tensors));
}

} // namespace sdfleet::pipeline
