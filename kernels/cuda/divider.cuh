// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device.cuh"

namespace sdfleet::kernels::cuda {

/// Divides numbers below 2^31 by one that is known before the launch: a multiplication and a shift instead of some twenty
/// instructions (Granlund and Montgomery 1994, "Division by invariant integers using multiplication").
class Divider {
public:
    /// 1 <= divisor < 2^31.
    explicit Divider(std::int64_t divisor) : divisor_(static_cast<std::uint32_t>(divisor))
    {
        while ((std::uint64_t{1} << shift_) < divisor_) {
            ++shift_;
        }
        const std::uint64_t excess = (std::uint64_t{1} << shift_) - divisor_;
        multiplier_ = static_cast<std::uint32_t>((excess << 32) / divisor_ + 1);
    }

    __device__ std::uint32_t quotient(std::uint32_t number) const
    {
        return (__umulhi(number, multiplier_) + number) >> shift_;
    }
    __device__ std::uint32_t divisor() const { return divisor_; }

private:
    std::uint32_t divisor_;
    std::uint32_t multiplier_ = 0;
    std::uint32_t shift_ = 0;
};

} // namespace sdfleet::kernels::cuda
