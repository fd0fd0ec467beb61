// SPDX-License-Identifier: Apache-2.0
#include "base/half.hpp"
#include "collective/core/reduction.hpp"

#include "tests/catch.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace sdfleet::base;
using namespace sdfleet::collective;

namespace {

template <class Stored>
std::vector<Stored> reduced(std::vector<Stored> a, const std::vector<Stored>& b, ElementType type, ReduceOp op)
{
    reduce_into(std::as_writable_bytes(std::span(a)), std::as_bytes(std::span(b)), type, op);
    return a;
}

/// The halves beside `value`, found by trying all of them: the nearest, and of two equally near the even one.
std::uint16_t nearest_half(float value)
{
    std::uint16_t best = 0;
    double best_distance = std::numeric_limits<double>::infinity();
    for (std::uint32_t bits = 0; bits < 0x7c00u; ++bits) {
        const double distance =
            std::fabs(std::fabs(static_cast<double>(value)) - to_float(Float16{static_cast<std::uint16_t>(bits)}));
        if (distance < best_distance || (distance == best_distance && bits % 2 == 0)) {
            best = static_cast<std::uint16_t>(bits);
            best_distance = distance;
        }
    }
    return static_cast<std::uint16_t>(best | (std::signbit(value) ? 0x8000u : 0u));
}

} // namespace

TEST_CASE("every 16-bit float survives the way to float and back")
{
    for (std::uint32_t bits = 0; bits <= 0xffffu; ++bits) {
        const Float16 half{static_cast<std::uint16_t>(bits)};
        const Bfloat16 brain{static_cast<std::uint16_t>(bits)};
        if (const float value = to_float(half); value == value) {
            REQUIRE(to_float16(value).bits == half.bits);
        } else {
            REQUIRE(std::isnan(to_float(to_float16(value))));
        }
        if (const float value = to_float(brain); value == value) {
            REQUIRE(to_bfloat16(value).bits == brain.bits);
        } else {
            REQUIRE(std::isnan(to_float(to_bfloat16(value))));
        }
    }
}

TEST_CASE("rounding to 16 bits goes to the nearest, ties to even, and too large to infinity")
{
    for (const float value : {1.0f, 1.0004f, 1.00048828125f, 1.00146484375f, -3.14159f, 6.1e-5f, 5.9e-8f, 2.98e-8f,
                              3.0e-8f, 1e-10f, 65'503.9f}) {
        INFO(value);
        REQUIRE(to_float16(value).bits == nearest_half(value));
    }
    REQUIRE(to_float16(65'519.0f).bits == 0x7bff);
    REQUIRE(to_float16(65'520.0f).bits == 0x7c00);
    REQUIRE(to_float16(-1e30f).bits == 0xfc00);
    REQUIRE(to_float(to_bfloat16(1.00390625f)) == 1.0f); // a tie: to even
    REQUIRE(to_float(to_bfloat16(1.01171875f)) == 1.015625f);
    REQUIRE(std::isinf(to_float(to_bfloat16(std::numeric_limits<float>::max()))));
}

TEST_CASE("16-bit floats are added in float and rounded once")
{
    const std::vector<Float16> a{to_float16(2'048.0f), to_float16(0.1f)};
    const std::vector<Float16> b{to_float16(1.0f), to_float16(0.2f)};
    const auto sum = reduced(a, b, ElementType::float16, ReduceOp::sum);
    REQUIRE(to_float(sum[0]) == 2'048.0f); // 2049 lies between two halves
    REQUIRE(sum[1].bits == to_float16(to_float(a[1]) + to_float(b[1])).bits);
}

TEST_CASE("integers wrap around, as torch's do")
{
    REQUIRE(reduced<std::uint8_t>({250}, {10}, ElementType::uint8, ReduceOp::sum)[0] == 4);
    REQUIRE(reduced<std::int32_t>({std::numeric_limits<std::int32_t>::max()}, {1}, ElementType::int32,
                                  ReduceOp::sum)[0] == std::numeric_limits<std::int32_t>::min());
    REQUIRE(reduced<std::int8_t>({-3}, {5}, ElementType::int8, ReduceOp::product)[0] == -15);
    REQUIRE(reduced<std::int64_t>({-3}, {5}, ElementType::int64, ReduceOp::min)[0] == -3);
}

TEST_CASE("a NaN is not lost in min and max, whichever side it is on")
{
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const auto op : {ReduceOp::min, ReduceOp::max}) {
        REQUIRE(std::isnan(reduced<float>({nan}, {1}, ElementType::float32, op)[0]));
        REQUIRE(std::isnan(reduced<float>({1}, {nan}, ElementType::float32, op)[0]));
    }
    REQUIRE(reduced<double>({2}, {1}, ElementType::float64, ReduceOp::min)[0] == 1);
    REQUIRE(reduced<double>({2}, {1}, ElementType::float64, ReduceOp::max)[0] == 2);
}

TEST_CASE("buffers need no alignment")
{
    std::vector<std::byte> a(9);
    std::vector<std::byte> b(9);
    const double two = 2;
    const double three = 3;
    std::memcpy(a.data() + 1, &two, sizeof two);
    std::memcpy(b.data() + 1, &three, sizeof three);
    reduce_into(std::span(a).subspan(1), std::span(b).subspan(1), ElementType::float64, ReduceOp::product);
    divide(std::span(a).subspan(1), ElementType::float64, 4);
    double result = 0;
    std::memcpy(&result, a.data() + 1, sizeof result);
    REQUIRE(result == 1.5);
}
