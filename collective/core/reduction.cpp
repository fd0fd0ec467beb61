// SPDX-License-Identifier: Apache-2.0
#include "collective/core/reduction.hpp"

#include "base/half.hpp"

#include <concepts>
#include <cstring>
#include <type_traits>

namespace sdfleet::collective {

namespace {

using base::Bfloat16;
using base::Float16;
using base::to_bfloat16;
using base::to_float;
using base::to_float16;

/// How a stored element is computed with: load to a number, compute, store.
template <class Stored>
struct Arithmetic {
    using Number = Stored;
    static Number load(Stored value) { return value; }
    static Stored store(Number value) { return value; }
};
template <>
struct Arithmetic<Float16> {
    using Number = float;
    static float load(Float16 value) { return to_float(value); }
    static Float16 store(float value) { return to_float16(value); }
};
template <>
struct Arithmetic<Bfloat16> {
    using Number = float;
    static float load(Bfloat16 value) { return to_float(value); }
    static Bfloat16 store(float value) { return to_bfloat16(value); }
};

/// Integers in unsigned arithmetic of at least 32 bits, where overflow is defined.
template <class Number, class Function>
Number compute(Number a, Number b, Function function)
{
    if constexpr (std::integral<Number>) {
        using Wide = std::conditional_t<sizeof(Number) == 8, std::uint64_t, std::uint32_t>;
        return static_cast<Number>(function(static_cast<Wide>(a), static_cast<Wide>(b)));
    } else {
        return function(a, b);
    }
}

template <class Number>
Number smaller(Number a, Number b)
{
    return b < a || b != b ? b : a;
}

template <class Number>
Number larger(Number a, Number b)
{
    return a < b || b != b ? b : a;
}

template <class Stored, class Function>
void for_each_pair(std::span<std::byte> into, std::span<const std::byte> from, Function function)
{
    using Rule = Arithmetic<Stored>;
    for (std::size_t at = 0; at + sizeof(Stored) <= into.size(); at += sizeof(Stored)) {
        Stored a;
        Stored b;
        std::memcpy(&a, into.data() + at, sizeof a);
        std::memcpy(&b, from.data() + at, sizeof b);
        a = Rule::store(function(Rule::load(a), Rule::load(b)));
        std::memcpy(into.data() + at, &a, sizeof a);
    }
}

template <class Stored>
void reduce_as(std::span<std::byte> into, std::span<const std::byte> from, ReduceOp op)
{
    using Number = typename Arithmetic<Stored>::Number;
    switch (op) {
    case ReduceOp::sum:
    case ReduceOp::avg:
        for_each_pair<Stored>(into, from,
                              [](Number a, Number b) { return compute(a, b, [](auto x, auto y) { return x + y; }); });
        break;
    case ReduceOp::product:
        for_each_pair<Stored>(into, from,
                              [](Number a, Number b) { return compute(a, b, [](auto x, auto y) { return x * y; }); });
        break;
    case ReduceOp::min:
        for_each_pair<Stored>(into, from, smaller<Number>);
        break;
    case ReduceOp::max:
        for_each_pair<Stored>(into, from, larger<Number>);
        break;
    }
}

template <class Stored>
void divide_as(std::span<std::byte> elements, std::uint32_t divisor)
{
    using Number = typename Arithmetic<Stored>::Number;
    for_each_pair<Stored>(elements, elements, [&](Number a, Number) { return a / static_cast<Number>(divisor); });
}

} // namespace

void reduce_into(std::span<std::byte> into, std::span<const std::byte> from, ElementType type, ReduceOp op)
{
    switch (type) {
    case ElementType::uint8:
        return reduce_as<std::uint8_t>(into, from, op);
    case ElementType::int8:
        return reduce_as<std::int8_t>(into, from, op);
    case ElementType::int32:
        return reduce_as<std::int32_t>(into, from, op);
    case ElementType::int64:
        return reduce_as<std::int64_t>(into, from, op);
    case ElementType::float16:
        return reduce_as<Float16>(into, from, op);
    case ElementType::bfloat16:
        return reduce_as<Bfloat16>(into, from, op);
    case ElementType::float32:
        return reduce_as<float>(into, from, op);
    case ElementType::float64:
        return reduce_as<double>(into, from, op);
    }
}

void divide(std::span<std::byte> elements, ElementType type, std::uint32_t divisor)
{
    if (type == ElementType::float16) {
        divide_as<Float16>(elements, divisor);
    } else if (type == ElementType::bfloat16) {
        divide_as<Bfloat16>(elements, divisor);
    } else if (type == ElementType::float32) {
        divide_as<float>(elements, divisor);
    } else if (type == ElementType::float64) {
        divide_as<double>(elements, divisor);
    }
}

} // namespace sdfleet::collective
