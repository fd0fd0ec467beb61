// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/diffusion_pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdfleet::pipeline {

/// Collects what the pictures of one request went through, for comparison with other implementations. All pictures must
/// have the same size.
class TensorDump {
public:
    void add(const Picture& picture);

    /// A safetensors image with prompt_embeds [N, L, D], latents [N, C, h, w] as decoded, and image, uint8 [N, H, W, 3],
    /// before kept pixels are put back; pooled_prompt_embeds [N, P] where the model has them; both also as negative_...,
    /// with guidance only.
    std::vector<std::byte> to_safetensors() const;

private:
    struct Stack {
        std::vector<std::int64_t> shape; ///< of one
        std::vector<float> values;
        void add(const HostTensor& tensor);
    };

    std::int64_t count_ = 0;
    Stack prompt_embeds_;
    Stack negative_prompt_embeds_;
    Stack pooled_prompt_embeds_;
    Stack negative_pooled_prompt_embeds_;
    Stack latents_;
    std::vector<std::int64_t> image_shape_;
    std::vector<std::uint8_t> image_;
};

} // namespace sdfleet::pipeline
