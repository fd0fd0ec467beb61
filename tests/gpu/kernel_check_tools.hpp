// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/element.hpp"
#include "kernels/cpu_kernels.hpp"
#include "tests/gpu/kernel_checks.hpp"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace sdfleet::gpu_test {

using kernels::ElementType;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kernel_seed = 20'240'229;

inline KernelSubject reference()
{
    static HostMemory memory;
    return {kernels::cpu_kernels(), memory};
}

inline std::int64_t bytes_of(ElementType type)
{
    return type == ElementType::float32 ? 4 : 2;
}

inline const char* name_of(ElementType type)
{
    return type == ElementType::float32 ? "fp32" : type == ElementType::float16 ? "fp16" : "bf16";
}

/// Values between -2 and 2.5 or so, most of them near the middle.
class Random {
public:
    float next()
    {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        const auto part = [this](int shift) { return static_cast<float>((state_ >> shift) & 0xfffffu) * 0x1p-20f; };
        return (part(0) + part(20) + part(40)) * 1.5f - 2.0f;
    }

    Bytes elements(ElementType type, std::int64_t count)
    {
        Bytes bytes(static_cast<std::size_t>(count * bytes_of(type)));
        kernels::cpu::run_as(type, [&](auto zero) {
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                const auto element = kernels::cpu::to_element<decltype(zero)>(next());
                std::memcpy(bytes.data() + i * sizeof(element), &element, sizeof(element));
            }
        });
        return bytes;
    }

private:
    std::uint64_t state_ = kernel_seed;
};

inline float float_at(ElementType type, const Bytes& bytes, std::size_t index)
{
    float value = 0;
    kernels::cpu::run_as(type, [&](auto element) {
        std::memcpy(&element, bytes.data() + index * sizeof(element), sizeof(element));
        value = kernels::cpu::to_float(element);
    });
    return value;
}

[[noreturn]] inline void fail(const std::string& what)
{
    throw std::runtime_error(what + " (seed " + std::to_string(kernel_seed) + ')');
}

inline void require_done(kernels::Status status, const std::string& what)
{
    if (status != kernels::Status::done) {
        fail(what + ": status " + std::to_string(static_cast<int>(status)));
    }
}

inline void require_equal(const Bytes& got, const Bytes& expected, const std::string& what)
{
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (got.size() != expected.size() || got[i] != expected[i]) {
            fail(what + ": byte " + std::to_string(i) + " of " + std::to_string(expected.size()) + " differs");
        }
    }
}

/// Both computed in fp32 and were rounded once: a step of the type apart at most, besides `slack` of fp32's own.
inline void require_close(ElementType type, const Bytes& got, const Bytes& expected, const std::string& what,
                          double slack = 2e-5)
{
    const double step = type == ElementType::float32 ? 0.0 : type == ElementType::float16 ? 0x1p-10 : 0x1p-7;
    for (std::size_t i = 0; i < expected.size() / static_cast<std::size_t>(bytes_of(type)); ++i) {
        const double value = static_cast<double>(float_at(type, got, i));
        const double should = static_cast<double>(float_at(type, expected, i));
        if (!(std::fabs(value - should) <= (step + slack) * std::fabs(should) + slack)) {
            fail(what + ": element " + std::to_string(i) + " is " + std::to_string(value) + ", should be " +
                 std::to_string(should));
        }
    }
}

/// `count` rows from `first` on.
inline Bytes rows_of(const Bytes& bytes, std::int64_t row_bytes, std::int64_t first, std::int64_t count)
{
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(first * row_bytes);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * row_bytes)};
}

/// What an output is before a kernel writes it: in no type a number that a kernel would give.
inline Bytes unwritten(std::int64_t bytes)
{
    return Bytes(static_cast<std::size_t>(bytes), std::byte{0xff});
}

} // namespace sdfleet::gpu_test
