// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::actor {

/// Decides which waiting items join the batch that is being drawn. Pure: the time is an argument.
///
/// First come, first served, but for one thing: items that fit the batch may pass others, so that the batch stays full.
/// Nobody is passed for longer than `patience`: from then on nothing that came later joins, the batch runs empty, and the
/// one that waited longest goes next.
class BatchPolicy {
public:
    using Time = std::chrono::steady_clock::time_point;

    struct Waiting {
        std::string key; ///< equal keys can be drawn in one batch; empty = goes alone
        Time since;
    };
    struct OpenBatch { ///< with at least one item in it
        std::string key;
        std::size_t room = 0; ///< items that it can still take
    };

    explicit BatchPolicy(std::chrono::milliseconds patience) : patience_(patience) {}

    /// Indices, ascending, of those that join now. `waiting` is in the order of arrival. Without a batch it is the first one,
    /// which opens the next.
    std::vector<std::size_t> joiners(const std::optional<OpenBatch>& batch, std::span<const Waiting> waiting,
                                     Time now) const;

private:
    std::chrono::milliseconds patience_;
};

} // namespace sdfleet::actor
