// SPDX-License-Identifier: Apache-2.0
// Elements as they are stored, the floats that are computed with, and 16 bytes of them at a time.
#pragma once

#include "base/half.hpp"
#include "kernels/cuda/device.cuh"

namespace sdfleet::kernels::cuda {

using base::Bfloat16;
using base::Float16;

__device__ inline float widened(float value)
{
    return value;
}

__device__ inline float widened(Float16 value)
{
#ifdef __CUDACC__
    return __half2float(__ushort_as_half(value.bits));
#else
    return base::to_float(value);
#endif
}

__device__ inline float widened(Bfloat16 value)
{
#ifdef __CUDACC__
    return __bfloat162float(__ushort_as_bfloat16(value.bits));
#else
    return base::to_float(value);
#endif
}

/// How a float is stored, rounded to the nearest, ties to even.
template <class Element>
struct Stored;
template <>
struct Stored<float> {
    __device__ static float of(float value) { return value; }
};
template <>
struct Stored<Float16> {
#ifdef __CUDACC__
    __device__ static Float16 of(float value)
    {
        return {__half_as_ushort(__float2half_rn(value))};
    }
#else
    static Float16 of(float value)
    {
        return base::to_float16(value);
    }
#endif
};
template <>
struct Stored<Bfloat16> {
#ifdef __CUDACC__
    __device__ static Bfloat16 of(float value)
    {
        return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
    }
#else
    static Bfloat16 of(float value)
    {
        return base::to_bfloat16(value);
    }
#endif
};

constexpr int vector_bytes = 16;
template <class Element>
constexpr int vector_width = vector_bytes / static_cast<int>(sizeof(Element));

/// Elements that one instruction reads or writes.
template <class Element, int width>
struct alignas(width * sizeof(Element)) Vector {
    Element element[width];
};

/// What as many bytes are moved as.
template <int bytes>
struct Word;
template <>
struct Word<1> {
    using Type = unsigned char;
};
template <>
struct Word<2> {
    using Type = unsigned short;
};
template <>
struct Word<4> {
    using Type = unsigned int;
};
template <>
struct Word<8> {
    using Type = uint2;
};
template <>
struct Word<16> {
    using Type = uint4;
};

template <int width, class Element>
__device__ Vector<Element, width> read_vector(const Element* from)
{
    return *reinterpret_cast<const Vector<Element, width>*>(from);
}

template <class Element, int width>
__device__ void write_vector(Element* to, const Vector<Element, width>& vector)
{
    using Type = typename Word<width * sizeof(Element)>::Type;
    Type word;
    __builtin_memcpy(&word, &vector, sizeof(word));
    __stwb(reinterpret_cast<Type*>(to), word); // a plain assignment is sometimes taken apart again
}

/// Calls `run` with a zero of the element type that `type`, which is valid, names.
template <class Run>
Status run_as(ElementType type, const Run& run)
{
    switch (type) {
    case ElementType::float16:
        return run(Float16{});
    case ElementType::bfloat16:
        return run(Bfloat16{});
    case ElementType::float32:
        return run(float{});
    }
    return Status::invalid;
}

} // namespace sdfleet::kernels::cuda
