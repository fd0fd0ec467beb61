// SPDX-License-Identifier: Apache-2.0
// Loops run along the channels, which lie side by side: one accumulator for each, so that they are computed several at a time.
#include "kernels/argument_check.hpp"
#include "kernels/cpu/element.hpp"
#include "kernels/cpu/functions.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace sdfleet::kernels::cpu {

namespace {

/// Pixels summed in fp32 before the sum goes to fp64.
constexpr std::int64_t pixels_per_chunk = 32;

/// Numbers of each channel, in the caller's workspace.
struct Channels {
    Channels(void* workspace, std::int64_t channels)
        : total(static_cast<double*>(workspace)), chunk(reinterpret_cast<float*>(total + channels)),
          row_bias(chunk + channels), mean(row_bias + channels), scale(mean + channels), bias(scale + channels)
    {
    }
    static constexpr std::int64_t bytes = sizeof(double) + 5 * sizeof(float);

    double* total;
    float* chunk;
    float* row_bias;
    float* mean;
    float* scale;
    float* bias;
};

/// Into total[c]: the sum over the pixels of `number`(element, c).
template <class Element, class Number>
void sum_channels(const Element* image, std::int64_t pixels, std::int64_t channels, const Channels& of, Number number)
{
    std::fill_n(of.total, channels, 0.0);
    for (std::int64_t begin = 0; begin < pixels; begin += pixels_per_chunk) {
        std::fill_n(of.chunk, channels, 0.0f);
        for (std::int64_t pixel = begin; pixel < std::min(pixels, begin + pixels_per_chunk); ++pixel) {
            const Element* values = image + pixel * channels;
            for (std::int64_t c = 0; c < channels; ++c) {
                of.chunk[c] += number(to_float(values[c]), c);
            }
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            of.total[c] += static_cast<double>(of.chunk[c]);
        }
    }
}

/// `of` each channel of a group: `number` of the mean over the group of what total[c] sums.
template <class Number>
void spread_means(const GroupNormArguments& a, const Channels& from, float* of, Number number)
{
    const std::int64_t size = a.channels / a.groups;
    for (std::int64_t group = 0; group < a.groups; ++group) {
        double sum = 0;
        for (const double total : std::span(from.total + group * size, static_cast<std::size_t>(size))) {
            sum += total;
        }
        std::fill_n(of + group * size, size, number(sum / static_cast<double>(size * a.pixels)));
    }
}

template <class Element, bool silu>
void normalise(const Element* image, Element* output, const GroupNormArguments& a, const Channels& of)
{
    for (std::int64_t pixel = 0; pixel < a.pixels; ++pixel) {
        const Element* values = image + pixel * a.channels;
        Element* results = output + pixel * a.channels;
        for (std::int64_t c = 0; c < a.channels; ++c) {
            const float value = (to_float(values[c]) + of.row_bias[c] - of.mean[c]) * of.scale[c] + of.bias[c];
            results[c] = to_element<Element>(silu ? value / (1.0f + std::exp(-value)) : value);
        }
    }
}

template <class Element>
void run(const GroupNormArguments& a)
{
    const Channels of(a.workspace, a.channels);
    const auto* weight = static_cast<const Element*>(a.weight);
    std::transform(static_cast<const Element*>(a.bias), static_cast<const Element*>(a.bias) + a.channels, of.bias,
                   [](Element value) { return to_float(value); });
    for (std::int64_t row = 0; row < a.batch; ++row) {
        const Element* image = static_cast<const Element*>(a.input) + row * a.pixels * a.channels;
        Element* output = static_cast<Element*>(a.output) + row * a.pixels * a.channels;
        const auto* row_bias = static_cast<const Element*>(a.row_bias);
        const std::int64_t bias_begin = a.bias_rows == 1 ? 0 : row * a.bias_stride;
        for (std::int64_t c = 0; c < a.channels; ++c) {
            of.row_bias[c] = row_bias == nullptr ? 0.0f : to_float(row_bias[bias_begin + c]);
        }
        sum_channels(image, a.pixels, a.channels, of,
                     [&](float value, std::int64_t c) { return value + of.row_bias[c]; });
        spread_means(a, of, of.mean, [](double mean) { return static_cast<float>(mean); });
        sum_channels(image, a.pixels, a.channels, of, [&](float value, std::int64_t c) {
            const float deviation = value + of.row_bias[c] - of.mean[c];
            return deviation * deviation;
        });
        spread_means(a, of, of.scale, [&](double variance) {
            return static_cast<float>(1 / std::sqrt(variance + static_cast<double>(a.eps)));
        });
        for (std::int64_t c = 0; c < a.channels; ++c) {
            of.scale[c] *= to_float(weight[c]);
        }
        if (a.silu) {
            normalise<Element, true>(image, output, a, of);
        } else {
            normalise<Element, false>(image, output, a, of);
        }
    }
}

} // namespace

std::int64_t group_norm_workspace_bytes(std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                                        std::int64_t groups)
{
    return is_valid_group_norm(batch, pixels, channels, groups) ? channels * Channels::bytes : 0;
}

Status group_norm(const GroupNormArguments& a, Queue)
{
    if (!is_valid(a, group_norm_workspace_bytes(a.batch, a.pixels, a.channels, a.groups))) {
        return Status::invalid;
    }
    return run_as(a.type, [&](auto element) { run<decltype(element)>(a); });
}

} // namespace sdfleet::kernels::cpu
