// SPDX-License-Identifier: Apache-2.0
#include "pipeline/fused_operators.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/Exception.h>

namespace sdfleet::pipeline {

namespace {

kernels::ElementType element_type(const at::Tensor& tensor)
{
    switch (tensor.scalar_type()) {
    case at::kFloat:
        return kernels::ElementType::float32;
    case at::kHalf:
        return kernels::ElementType::float16;
    case at::kBFloat16:
        return kernels::ElementType::bfloat16;
    default:
        TORCH_CHECK(false, "the pipeline's kernels take fp32, fp16 and bf16, not ", tensor.scalar_type());
    }
}

/// The stream that LibTorch's own operators would go to now.
kernels::Queue current_queue(const at::Tensor& tensor)
{
    if (tensor.is_cpu()) {
        return nullptr;
    }
    const c10::impl::VirtualGuardImpl device(tensor.device().type());
    return device.getStream(tensor.device()).native_handle();
}

void check(kernels::Status status, const char* kernel)
{
    if (status == kernels::Status::invalid) {
        throw std::runtime_error(std::string("kernel ") + kernel + " does not take tensors of these sizes");
    }
    if (status != kernels::Status::done) {
        throw std::runtime_error(std::string("kernel ") + kernel + " could not be started on the GPU");
    }
}

const void* pointer(const at::Tensor& tensor)
{
    return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

/// Last dimension of an image in channels_last memory, and of everything else.
std::int64_t channels_of(const at::Tensor& tensor)
{
    return tensor.dim() == 4 ? tensor.size(1) : tensor.size(-1);
}

at::Tensor dense(const at::Tensor& tensor)
{
    return tensor.dim() == 4 ? channels_last(tensor) : tensor.contiguous();
}

at::Tensor empty_image(at::IntArrayRef sizes, const at::Tensor& like)
{
    return at::empty(sizes, like.options(), at::MemoryFormat::ChannelsLast);
}

void check_same_type(const at::Tensor& tensor, const at::Tensor& other, const char* kernel)
{
    TORCH_CHECK(!other.defined() || (other.scalar_type() == tensor.scalar_type() && other.device() == tensor.device()),
                kernel, ": tensors of different types or devices");
}

} // namespace

at::Tensor FusedOperators::attention(const at::Tensor& query, const at::Tensor& keys_and_values,
                                     std::int64_t heads) const
{
    const auto split = [heads](const at::Tensor& tensor) {
        return tensor.view({tensor.size(0), tensor.size(1), heads, tensor.size(2) / heads}).transpose(1, 2);
    };
    const auto halves = keys_and_values.chunk(2, -1);
    const at::Tensor q = split(query);
    const at::Tensor k = split(halves[0]);
    const at::Tensor v = split(halves[1]);
    const at::Tensor mixed = attention_ ? (*attention_)(q, k, v) : at::scaled_dot_product_attention(q, k, v);
    return mixed.transpose(1, 2).reshape(query.sizes());
}

at::Tensor channels_last(const at::Tensor& image)
{
    return image.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor FusedOperators::group_norm(const at::Tensor& input, const GroupNorm& norm, bool silu,
                                      const at::Tensor& row_bias) const
{
    const at::Tensor image = channels_last(input);
    check_same_type(image, norm.weight, "group_norm");
    check_same_type(image, row_bias, "group_norm");
    const std::int64_t batch = image.size(0);
    const std::int64_t pixels = image.size(2) * image.size(3);
    const std::int64_t channels = image.size(1);
    TORCH_CHECK(norm.weight.numel() == channels, "group_norm: not the norm of so many channels");
    TORCH_CHECK(!row_bias.defined() ||
                    (row_bias.dim() == 2 && row_bias.size(1) == channels && row_bias.stride(1) == 1 &&
                     (row_bias.size(0) == 1 || row_bias.size(0) == batch)),
                "group_norm: a row_bias of another shape");
    at::Tensor output = empty_image(image.sizes(), image);
    const std::int64_t bytes = table_->group_norm_workspace_bytes(batch, pixels, channels, norm.groups);
    const at::Tensor workspace = bytes > 0 ? at::empty({bytes}, image.options().dtype(at::kByte)) : at::Tensor();
    check(table_->group_norm({.type = element_type(image),
                              .input = pointer(image),
                              .row_bias = pointer(row_bias),
                              .bias_rows = row_bias.defined() ? row_bias.size(0) : 1,
                              .bias_stride = row_bias.defined() ? row_bias.stride(0) : channels,
                              .weight = pointer(norm.weight),
                              .bias = pointer(norm.bias),
                              .output = output.mutable_data_ptr(),
                              .workspace = bytes > 0 ? workspace.mutable_data_ptr() : nullptr,
                              .batch = batch,
                              .pixels = pixels,
                              .channels = channels,
                              .groups = norm.groups,
                              .eps = static_cast<float>(norm.eps),
                              .silu = silu},
                             current_queue(image)),
          "group_norm");
    return output;
}

FusedOperators::Normed FusedOperators::layer_norm(const at::Tensor& input, const LayerNorm& norm,
                                                  const at::Tensor& residual) const
{
    const at::Tensor rows = input.contiguous();
    const at::Tensor added = residual.defined() ? residual.contiguous() : residual;
    check_same_type(rows, norm.weight, "layer_norm");
    check_same_type(rows, added, "layer_norm");
    const std::int64_t features = rows.size(-1);
    TORCH_CHECK(norm.weight.numel() == features && (!added.defined() || added.sizes() == rows.sizes()),
                "layer_norm: tensors of different sizes");
    at::Tensor sum = added.defined() ? at::empty_like(rows) : at::Tensor();
    at::Tensor output = at::empty_like(rows);
    check(table_->layer_norm({.type = element_type(rows),
                              .input = pointer(rows),
                              .residual = pointer(added),
                              .weight = pointer(norm.weight),
                              .bias = pointer(norm.bias),
                              .sum = sum.defined() ? sum.mutable_data_ptr() : nullptr,
                              .output = output.mutable_data_ptr(),
                              .rows = rows.numel() / features,
                              .features = features,
                              .eps = static_cast<float>(norm.eps)},
                             current_queue(rows)),
          "layer_norm");
    return {sum.defined() ? sum : rows, output};
}

at::Tensor FusedOperators::geglu(const at::Tensor& input) const
{
    const at::Tensor rows = input.contiguous();
    std::vector<std::int64_t> sizes = rows.sizes().vec();
    sizes.back() /= 2;
    at::Tensor output = at::empty(sizes, rows.options());
    check(table_->geglu({.type = element_type(rows),
                         .input = pointer(rows),
                         .output = output.mutable_data_ptr(),
                         .rows = rows.numel() / rows.size(-1),
                         .features = sizes.back()},
                        current_queue(rows)),
          "geglu");
    return output;
}

at::Tensor FusedOperators::add_bias(at::Tensor input, const at::Tensor& bias, const at::Tensor& residual) const
{
    at::Tensor output = dense(input);
    const at::Tensor added = residual.defined() ? dense(residual) : residual;
    check_same_type(output, bias, "bias_residual");
    check_same_type(output, added, "bias_residual");
    const std::int64_t channels = channels_of(output);
    TORCH_CHECK((!bias.defined() || (bias.numel() == channels && bias.is_contiguous())) &&
                    (!added.defined() || added.sizes() == output.sizes()),
                "bias_residual: tensors of different sizes");
    check(table_->bias_residual({.type = element_type(output),
                                 .input = pointer(output),
                                 .bias = pointer(bias),
                                 .residual = pointer(added),
                                 .output = output.mutable_data_ptr(),
                                 .rows = output.numel() / channels,
                                 .channels = channels},
                                current_queue(output)),
          "bias_residual");
    return output;
}

at::Tensor FusedOperators::upsample(const at::Tensor& input, std::int64_t height, std::int64_t width) const
{
    const at::Tensor image = channels_last(input);
    at::Tensor output = empty_image({image.size(0), image.size(1), height, width}, image);
    check(table_->upsample_nearest({.type = element_type(image),
                                    .input = pointer(image),
                                    .output = output.mutable_data_ptr(),
                                    .batch = image.size(0),
                                    .height = image.size(2),
                                    .width = image.size(3),
                                    .channels = image.size(1),
                                    .output_height = height,
                                    .output_width = width},
                                   current_queue(image)),
          "upsample_nearest");
    return output;
}

void FusedOperators::model_input(std::span<const at::Tensor> rows, std::span<const at::Tensor> more,
                                 std::span<const float> scale, std::int64_t copies, at::Tensor& output) const
{
    TORCH_CHECK(!rows.empty() && scale.size() == rows.size() && (more.empty() || more.size() == rows.size()),
                "model_input: rows do not fit");
    const at::Tensor& first = rows.front();
    const std::int64_t more_channels = more.empty() ? 0 : more.front().size(1);
    const auto batch = static_cast<std::int64_t>(rows.size());
    const auto pointers = [&](std::span<const at::Tensor> tensors, std::int64_t channels) {
        std::vector<const float*> all;
        for (const at::Tensor& tensor : tensors) {
            TORCH_CHECK(tensor.is_contiguous() && tensor.numel() == channels * first.size(2) * first.size(3) &&
                            tensor.device() == output.device(),
                        "model_input: a row of another shape");
            all.push_back(tensor.const_data_ptr<float>());
        }
        return all;
    };
    const auto samples = pointers(rows, first.size(1));
    const auto further = pointers(more, more_channels);
    TORCH_CHECK(output.is_contiguous(at::MemoryFormat::ChannelsLast) && output.size(0) == copies * batch &&
                    output.size(1) == first.size(1) + more_channels && output.size(2) == first.size(2) &&
                    output.size(3) == first.size(3),
                "model_input: an output of another shape");
    check(table_->model_input({.type = element_type(output),
                               .rows = samples.data(),
                               .more = more.empty() ? nullptr : further.data(),
                               .scale = scale.data(),
                               .output = output.mutable_data_ptr(),
                               .batch = batch,
                               .pixels = first.size(2) * first.size(3),
                               .channels = first.size(1),
                               .more_channels = more_channels,
                               .copies = copies},
                              current_queue(output)),
          "model_input");
}

void FusedOperators::sample_update(const at::Tensor& model_output, std::int64_t copies,
                                   std::span<const kernels::SampleRow> rows) const
{
    const auto batch = static_cast<std::int64_t>(rows.size());
    TORCH_CHECK(model_output.is_contiguous(at::MemoryFormat::ChannelsLast) && model_output.size(0) == copies * batch,
                "sample_update: predictions of another shape");
    check(table_->sample_update({.type = element_type(model_output),
                                 .model_output = pointer(model_output),
                                 .rows = rows.data(),
                                 .batch = batch,
                                 .pixels = model_output.size(2) * model_output.size(3),
                                 .channels = model_output.size(1),
                                 .copies = copies},
                                current_queue(model_output)),
          "sample_update");
}

at::Tensor FusedOperators::image_bytes(const at::Tensor& image) const
{
    const at::Tensor pixels = channels_last(image);
    const std::int64_t channels = pixels.size(1);
    at::Tensor output =
        at::empty({pixels.size(0), pixels.size(2), pixels.size(3), channels}, pixels.options().dtype(at::kByte));
    check(table_->image_bytes({.type = element_type(pixels),
                               .input = pointer(pixels),
                               .output = output.mutable_data_ptr<std::uint8_t>(),
                               .pixels = pixels.numel() / channels,
                               .channels = channels},
                              current_queue(pixels)),
          "image_bytes");
    return output;
}

} // namespace sdfleet::pipeline
