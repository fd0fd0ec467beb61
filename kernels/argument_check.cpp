// SPDX-License-Identifier: Apache-2.0
#include "kernels/argument_check.hpp"

#include <initializer_list>

namespace sdfleet::kernels {

namespace {

constexpr std::uintptr_t array_alignment = 16;

bool is_type(ElementType type)
{
    return type == ElementType::float32 || type == ElementType::float16 || type == ElementType::bfloat16;
}

std::int64_t bytes_of(ElementType type)
{
    return type == ElementType::float32 ? 4 : 2;
}

/// All sizes are in range, and so is their product.
bool are_sizes(std::initializer_list<std::int64_t> sizes)
{
    std::int64_t elements = 1;
    for (const std::int64_t size : sizes) {
        if (size < 1 || size > max_size || elements > max_elements / size) {
            return false;
        }
        elements *= size;
    }
    return true;
}

bool is_aligned(const void* pointer, std::uintptr_t alignment = array_alignment)
{
    return reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0;
}

bool is_array(const void* pointer, std::uintptr_t alignment = array_alignment)
{
    return pointer != nullptr && is_aligned(pointer, alignment);
}

bool overlap(const void* a, std::int64_t a_bytes, const void* b, std::int64_t b_bytes)
{
    const auto a_begin = reinterpret_cast<std::uintptr_t>(a);
    const auto b_begin = reinterpret_cast<std::uintptr_t>(b);
    return a != nullptr && b != nullptr && a_begin < b_begin + static_cast<std::uintptr_t>(b_bytes) &&
           b_begin < a_begin + static_cast<std::uintptr_t>(a_bytes);
}

/// Two arrays of one shape are the same or have nothing in common.
bool overlap_in_part(const void* a, const void* b, std::int64_t bytes)
{
    return a != b && overlap(a, bytes, b, bytes);
}

bool is_valid_row(const SampleRow& row)
{
    if (row.terms < 1 || row.terms > max_sample_terms || !is_aligned(row.result, alignof(float)) ||
        !is_aligned(row.prediction, alignof(float))) {
        return false;
    }
    for (std::int32_t k = 1; k < row.terms; ++k) {
        if (!is_array(row.term[k], alignof(float))) {
            return false;
        }
    }
    return true;
}

} // namespace

bool is_valid_group_norm(std::int64_t batch, std::int64_t pixels, std::int64_t channels, std::int64_t groups)
{
    return are_sizes({batch, pixels, channels}) && groups >= 1 && groups <= channels && channels % groups == 0;
}

bool is_valid(const GroupNormArguments& a, std::int64_t workspace_bytes)
{
    if (!is_type(a.type) || !is_valid_group_norm(a.batch, a.pixels, a.channels, a.groups) || !(a.eps >= 0)) {
        return false;
    }
    const std::int64_t element_bytes = bytes_of(a.type);
    const bool has_rows =
        a.bias_rows == 1 || (a.bias_rows == a.batch && a.bias_stride >= a.channels && a.bias_stride <= max_size);
    const bool has_row_bias =
        a.row_bias == nullptr || (has_rows && is_aligned(a.row_bias, static_cast<std::uintptr_t>(element_bytes)));
    const bool has_workspace = workspace_bytes == 0 || is_array(a.workspace);
    const std::int64_t bytes = a.batch * a.pixels * a.channels * element_bytes;
    return is_array(a.input) && is_array(a.weight) && is_array(a.bias) && is_array(a.output) && has_row_bias &&
           has_workspace && !overlap_in_part(a.output, a.input, bytes);
}

bool is_valid(const LayerNormArguments& a)
{
    if (!is_type(a.type) || !are_sizes({a.rows, a.features}) || !(a.eps >= 0)) {
        return false;
    }
    const std::int64_t bytes = a.rows * a.features * bytes_of(a.type);
    for (const void* input : {a.input, a.residual}) {
        if (overlap_in_part(a.output, input, bytes) || overlap_in_part(a.sum, input, bytes)) {
            return false;
        }
    }
    return is_array(a.input) && is_array(a.weight) && is_array(a.bias) && is_array(a.output) &&
           is_aligned(a.residual) && is_aligned(a.sum) && !overlap(a.sum, bytes, a.output, bytes);
}

bool is_valid(const GegluArguments& a)
{
    if (!is_type(a.type) || !are_sizes({a.rows, 2, a.features})) {
        return false;
    }
    const std::int64_t bytes = a.rows * a.features * bytes_of(a.type);
    return is_array(a.input) && is_array(a.output) && !overlap(a.output, bytes, a.input, 2 * bytes);
}

bool is_valid(const BiasResidualArguments& a)
{
    if (!is_type(a.type) || !are_sizes({a.rows, a.channels})) {
        return false;
    }
    const std::int64_t bytes = a.rows * a.channels * bytes_of(a.type);
    return is_array(a.input) && is_array(a.output) && is_aligned(a.bias) && is_aligned(a.residual) &&
           !overlap_in_part(a.output, a.input, bytes) && !overlap_in_part(a.output, a.residual, bytes);
}

bool is_valid(const UpsampleArguments& a)
{
    // A row of the output is counted in 32 bits.
    if (!is_type(a.type) || !are_sizes({a.batch, a.height, a.width, a.channels}) || a.output_height < a.height ||
        a.output_width < a.width || !are_sizes({a.batch, a.output_height, a.output_width, a.channels}) ||
        a.output_width > max_size / a.channels || a.batch > max_size / a.output_height) {
        return false;
    }
    const std::int64_t pixel_bytes = a.channels * bytes_of(a.type);
    return is_array(a.input) && is_array(a.output) &&
           !overlap(a.output, a.batch * a.output_height * a.output_width * pixel_bytes, a.input,
                    a.batch * a.height * a.width * pixel_bytes);
}

bool is_valid(const ModelInputArguments& a)
{
    if (!is_type(a.type) || !are_sizes({a.batch}) || a.batch > max_sample_rows || a.more_channels < 0 ||
        a.more_channels > max_size || (a.copies != 1 && a.copies != 2) ||
        !are_sizes({a.copies, a.batch, a.pixels, a.channels}) ||
        !are_sizes({a.copies, a.batch, a.pixels, a.channels + a.more_channels}) || a.rows == nullptr ||
        a.scale == nullptr || (a.more_channels > 0 && a.more == nullptr) || !is_array(a.output)) {
        return false;
    }
    for (std::int64_t row = 0; row < a.batch; ++row) {
        if (!is_array(a.rows[row], alignof(float)) || (a.more_channels > 0 && !is_array(a.more[row], alignof(float)))) {
            return false;
        }
    }
    return true;
}

bool is_valid(const SampleUpdateArguments& a)
{
    if (!is_type(a.type) || (a.copies != 1 && a.copies != 2) || !are_sizes({a.copies, a.batch, a.pixels, a.channels}) ||
        a.batch > max_sample_rows || !is_array(a.model_output) || a.rows == nullptr) {
        return false;
    }
    for (std::int64_t row = 0; row < a.batch; ++row) {
        if (!is_valid_row(a.rows[row])) {
            return false;
        }
    }
    return true;
}

bool is_valid(const ImageBytesArguments& a)
{
    return is_type(a.type) && are_sizes({a.pixels, a.channels}) &&
           is_array(a.input, static_cast<std::uintptr_t>(bytes_of(a.type))) && a.output != nullptr &&
           !overlap(a.output, a.pixels * a.channels, a.input, a.pixels * a.channels * bytes_of(a.type));
}

} // namespace sdfleet::kernels
