// SPDX-License-Identifier: Apache-2.0
#include "pipeline/resnet_block.hpp"

#include <ATen/ops/silu.h>

namespace sdfleet::pipeline {

ResnetBlock2D ResnetBlock2D::load(const WeightScope& scope, std::int64_t in, std::int64_t out,
                                  const ResnetOptions& options)
{
    ResnetBlock2D block;
    block.norm1 = GroupNorm::load(scope["norm1"], in, options.groups, options.eps);
    block.conv1 = Conv2d::load(scope["conv1"], in, out, 3, 1, 1);
    if (options.time_channels > 0) {
        block.time_emb_proj = Linear::load(scope["time_emb_proj"], options.time_channels, out);
    }
    block.norm2 = GroupNorm::load(scope["norm2"], out, options.groups, options.eps);
    block.conv2 = Conv2d::load(scope["conv2"], out, out, 3, 1, 1);
    if (in != out) {
        block.conv_shortcut = Conv2d::load(scope["conv_shortcut"], in, out, 1);
    }
    return block;
}

at::Tensor ResnetBlock2D::operator()(at::Tensor input, const at::Tensor& time) const
{
    // The shortcut first: after it the input can go.
    const at::Tensor shortcut = conv_shortcut ? (*conv_shortcut)(input) : input;
    at::Tensor hidden = conv_shortcut ? norm1.consume(std::move(input)) : norm1(input);
    at::silu_(hidden);
    hidden = conv1.consume(std::move(hidden));
    if (time_emb_proj) {
        hidden.add_((*time_emb_proj)(time).unsqueeze(-1).unsqueeze(-1));
    }
    hidden = norm2.consume(std::move(hidden));
    at::silu_(hidden);
    hidden = conv2.consume(std::move(hidden));
    return hidden.add_(shortcut);
}

} // namespace sdfleet::pipeline
