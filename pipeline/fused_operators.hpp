// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"
#include "pipeline/attention_choice.hpp"
#include "pipeline/layers.hpp"

#include <cstdint>
#include <memory>
#include <span>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// The project's own kernels (kernels/kernel_table.hpp) on tensors. Images are [N, C, H, W] in channels_last memory; what
/// is not is copied first. On a GPU the work goes to the current stream and is not waited for. Throws c10::Error for
/// tensors that do not fit and std::runtime_error when a launch fails, as LibTorch's own operators do.
class FusedOperators {
public:
    /// `table` must outlive the object and be the one for the device of the tensors. `measures`: attention by whichever
    /// implementation is the fastest; otherwise by the library's own choice, which is the same in every process.
    explicit FusedOperators(const kernels::KernelTable& table, bool measures = true)
        : table_(&table), attention_(measures ? std::make_shared<AttentionChoice>() : nullptr)
    {
    }

    /// Attention of `heads` heads with queries [N, T, C] and keys beside values [N, L, 2 * C]; the shape of `query`.
    at::Tensor attention(const at::Tensor& query, const at::Tensor& keys_and_values, std::int64_t heads) const;

    /// norm(input + row_bias), then SiLU if asked for. `row_bias`: [1 or N, C] of the input's type, rows of any stride; or
    /// undefined.
    at::Tensor group_norm(const at::Tensor& input, const GroupNorm& norm, bool silu,
                          const at::Tensor& row_bias = {}) const;

    struct Normed {
        at::Tensor sum;    ///< input + residual, or the input itself without one
        at::Tensor output; ///< the sum's layer normalisation
    };
    /// All [..., features]; `residual` may be undefined.
    Normed layer_norm(const at::Tensor& input, const LayerNorm& norm, const at::Tensor& residual = {}) const;

    /// [..., 2 * features] -> [..., features]: the first half times the erf-GELU of the second.
    at::Tensor geglu(const at::Tensor& input) const;

    /// input + bias + residual, bias [C] along the channels (of an image) or the last dimension; either may be undefined.
    /// The result takes the memory of `input`.
    at::Tensor add_bias(at::Tensor input, const at::Tensor& bias, const at::Tensor& residual) const;

    /// Nearest neighbour, to a size at least that of the input.
    at::Tensor upsample(const at::Tensor& input, std::int64_t height, std::int64_t width) const;

    /// Each of `rows` [1, channels, h, w], fp32, times its factor of `scale`, then its further channels (`more`: as many
    /// rows, or none); all rows once for each of `copies`: [copies * rows, channels + more channels, h, w] into `output`.
    void model_input(std::span<const at::Tensor> rows, std::span<const at::Tensor> more, std::span<const float> scale,
                     std::int64_t copies, at::Tensor& output) const;

    /// Guidance and the schedulers' steps (kernels::SampleUpdateArguments): `model_output` [copies * rows, C, h, w].
    void sample_update(const at::Tensor& model_output, std::int64_t copies,
                       std::span<const kernels::SampleRow> rows) const;

    /// -1..1 to 0..255, halves to even: [N, C, H, W] to [N, H, W, C] of bytes.
    at::Tensor image_bytes(const at::Tensor& image) const;

private:
    const kernels::KernelTable* table_;
    std::shared_ptr<AttentionChoice> attention_; ///< shared by copies; null: nothing is measured
};

/// `image` in channels_last memory; itself if it is already.
at::Tensor channels_last(const at::Tensor& image);

} // namespace sdfleet::pipeline
