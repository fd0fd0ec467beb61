// SPDX-License-Identifier: Apache-2.0
// The 16-bit floating types as bits, and their values as float.
#pragma once

#include <bit>
#include <cstdint>

namespace sdfleet::base {

struct Float16 {
    std::uint16_t bits = 0;
};
struct Bfloat16 {
    std::uint16_t bits = 0;
};

inline float to_float(Bfloat16 value)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

/// To the nearest, ties to even; NaN stays NaN.
inline Bfloat16 to_bfloat16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (value != value) {
        return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
    }
    return {static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

inline float to_float(Float16 value)
{
    const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
    const std::uint32_t exponent = (value.bits >> 10) & 0x1fu;
    const std::uint32_t fraction = value.bits & 0x3ffu;
    if (exponent == 0) { // zero or subnormal: fraction * 2^-24, exact in float
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1fu ? 0xffu : exponent + (127 - 15);
    return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

/// To the nearest, ties to even; too large becomes infinity; NaN stays NaN.
inline Float16 to_float16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const auto with_sign = [&](std::uint32_t half) { return Float16{static_cast<std::uint16_t>(sign | half)}; };
    if (magnitude > 0x7f800000u) {
        return with_sign(0x7e00u);
    }
    if (magnitude >= 0x477ff000u) { // 65520 and above round to infinity
        return with_sign(0x7c00u);
    }
    if (magnitude < 0x38800000u) { // below 2^-14: adding 0.5 leaves the rounded multiple of 2^-24 in the lowest bits
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return with_sign(std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u);
    }
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return with_sign((rounded - ((127u - 15u) << 23)) >> 13);
}

} // namespace sdfleet::base
