// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sdfleet::sim {

/// SplitMix64: small, fast, and the same numbers everywhere, which the distributions of <random> do not promise.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next()
    {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }

    /// Less than `bound`, which is not 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

    /// Both ends included.
    std::int64_t between(std::int64_t low, std::int64_t high)
    {
        return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
    }

    bool chance(std::uint32_t per_mille) { return below(1'000) < per_mille; }

    /// A stream of its own, so that more draws here do not shift those elsewhere.
    Random fork() { return Random(next()); }

private:
    std::uint64_t state_;
};

} // namespace sdfleet::sim
