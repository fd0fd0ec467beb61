// SPDX-License-Identifier: Apache-2.0
#include "kernels/argument_check.hpp"
#include "kernels/cpu/element.hpp"
#include "kernels/cpu/functions.hpp"

#include <algorithm>
#include <cmath>

namespace sdfleet::kernels::cpu {

namespace {

/// The sum of `number`(i) for i below `count`: sixteen running sums in fp32, which become one in fp64 now and then.
template <class Number>
double sum_of(std::int64_t count, const Number& number)
{
    constexpr std::int64_t lanes = 16;
    constexpr std::int64_t chunk = 64 * lanes;
    double total = 0;
    for (std::int64_t begin = 0; begin < count; begin += chunk) {
        float sums[lanes] = {};
        const std::int64_t end = std::min(count, begin + chunk);
        std::int64_t i = begin;
        for (; i + lanes <= end; i += lanes) {
            for (std::int64_t lane = 0; lane < lanes; ++lane) {
                sums[lane] += number(i + lane);
            }
        }
        for (; i < end; ++i) {
            sums[0] += number(i);
        }
        for (const float sum : sums) {
            total += static_cast<double>(sum);
        }
    }
    return total;
}

/// `value`(i) is element i of the row; may read where `output` is written, element by element.
template <class Element, class Value>
void normalise_row(const LayerNormArguments& a, const Value& value, Element* output)
{
    const auto* weight = static_cast<const Element*>(a.weight);
    const auto* bias = static_cast<const Element*>(a.bias);
    const auto count = static_cast<double>(a.features);
    const auto mean = static_cast<float>(sum_of(a.features, value) / count);
    const double variance = sum_of(a.features,
                                   [&](std::int64_t i) {
                                       const float deviation = value(i) - mean;
                                       return deviation * deviation;
                                   }) /
                            count;
    const auto scale = static_cast<float>(1 / std::sqrt(variance + static_cast<double>(a.eps)));
    for (std::int64_t i = 0; i < a.features; ++i) {
        output[i] = to_element<Element>((value(i) - mean) * scale * to_float(weight[i]) + to_float(bias[i]));
    }
}

template <class Element>
void run(const LayerNormArguments& a)
{
    for (std::int64_t row = 0; row < a.rows; ++row) {
        const std::int64_t begin = row * a.features;
        const Element* input = static_cast<const Element*>(a.input) + begin;
        Element* output = static_cast<Element*>(a.output) + begin;
        const auto* residual = static_cast<const Element*>(a.residual);
        const auto added = [&](std::int64_t i) {
            return to_element<Element>(to_float(input[i]) + to_float(residual[begin + i]));
        };
        if (a.sum != nullptr) {
            Element* sum = static_cast<Element*>(a.sum) + begin;
            for (std::int64_t i = 0; i < a.features; ++i) {
                sum[i] = residual == nullptr ? input[i] : added(i);
            }
            normalise_row(
                a, [&](std::int64_t i) { return to_float(sum[i]); }, output);
        } else if (residual != nullptr) {
            normalise_row(
                a, [&](std::int64_t i) { return to_float(added(i)); }, output);
        } else {
            normalise_row(
                a, [&](std::int64_t i) { return to_float(input[i]); }, output);
        }
    }
}

} // namespace

Status layer_norm(const LayerNormArguments& a, Queue)
{
    return is_valid(a) ? run_as(a.type, [&](auto element) { run<decltype(element)>(a); }) : Status::invalid;
}

} // namespace sdfleet::kernels::cpu
