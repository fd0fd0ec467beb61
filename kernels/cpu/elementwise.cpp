// SPDX-License-Identifier: Apache-2.0
#include "kernels/argument_check.hpp"
#include "kernels/cpu/element.hpp"
#include "kernels/cpu/functions.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace sdfleet::kernels::cpu {

namespace {

float gelu(float value)
{
    return 0.5f * value * (1.0f + std::erf(value * (std::numbers::sqrt2_v<float> / 2)));
}

template <class Element>
void run(const GegluArguments& a)
{
    for (std::int64_t row = 0; row < a.rows; ++row) {
        const Element* values = static_cast<const Element*>(a.input) + row * 2 * a.features;
        const Element* gates = values + a.features;
        Element* output = static_cast<Element*>(a.output) + row * a.features;
        for (std::int64_t i = 0; i < a.features; ++i) {
            output[i] = to_element<Element>(to_float(values[i]) * gelu(to_float(gates[i])));
        }
    }
}

template <class Element, bool has_bias, bool has_residual>
void add(const BiasResidualArguments& a)
{
    const auto* bias = static_cast<const Element*>(a.bias);
    for (std::int64_t row = 0; row < a.rows; ++row) {
        const Element* input = static_cast<const Element*>(a.input) + row * a.channels;
        const Element* residual = has_residual ? static_cast<const Element*>(a.residual) + row * a.channels : nullptr;
        Element* output = static_cast<Element*>(a.output) + row * a.channels;
        for (std::int64_t i = 0; i < a.channels; ++i) {
            float value = to_float(input[i]);
            if constexpr (has_bias) {
                value += to_float(bias[i]);
            }
            if constexpr (has_residual) {
                value += to_float(residual[i]);
            }
            output[i] = to_element<Element>(value);
        }
    }
}

template <class Element>
void run(const BiasResidualArguments& a)
{
    if (a.bias != nullptr && a.residual != nullptr) {
        add<Element, true, true>(a);
    } else if (a.bias != nullptr) {
        add<Element, true, false>(a);
    } else if (a.residual != nullptr) {
        add<Element, false, true>(a);
    } else {
        add<Element, false, false>(a);
    }
}

template <class Element>
void run(const UpsampleArguments& a)
{
    const auto* input = static_cast<const Element*>(a.input);
    auto* output = static_cast<Element*>(a.output);
    for (std::int64_t image = 0; image < a.batch; ++image) {
        for (std::int64_t y = 0; y < a.output_height; ++y) {
            const Element* line = input + (image * a.height + y * a.height / a.output_height) * a.width * a.channels;
            for (std::int64_t x = 0; x < a.output_width; ++x) {
                output = std::copy_n(line + x * a.width / a.output_width * a.channels, a.channels, output);
            }
        }
    }
}

std::uint8_t image_byte(float value)
{
    const float unit = value / 2 + 0.5f;
    const float clamped = unit > 0 ? std::min(unit, 1.0f) : 0.0f; // what is not a number is not above 0
    // Beside 2^23 a float has no room for a fraction: the addition rounds, halves to even.
    return static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(clamped * 255.0f + 0x1p23f));
}

template <class Element>
void run(const ImageBytesArguments& a)
{
    const auto* input = static_cast<const Element*>(a.input);
    std::transform(input, input + a.pixels * a.channels, a.output,
                   [](Element value) { return image_byte(to_float(value)); });
}

template <class Arguments>
Status run_if_valid(const Arguments& a)
{
    return is_valid(a) ? run_as(a.type, [&](auto element) { run<decltype(element)>(a); }) : Status::invalid;
}

} // namespace

Status geglu(const GegluArguments& a, Queue)
{
    return run_if_valid(a);
}

Status bias_residual(const BiasResidualArguments& a, Queue)
{
    return run_if_valid(a);
}

Status upsample_nearest(const UpsampleArguments& a, Queue)
{
    return run_if_valid(a);
}

Status image_bytes(const ImageBytesArguments& a, Queue)
{
    return run_if_valid(a);
}

} // namespace sdfleet::kernels::cpu
