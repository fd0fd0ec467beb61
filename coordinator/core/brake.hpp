// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"

#include <cstddef>
#include <optional>

namespace sdfleet::coordinator {

/// When most nodes fall silent at once it is more likely that this machine, or the network at its door, is at fault than
/// that they all died. Their work is then held for them instead of being given to the few that are left, until enough
/// are heard again or patience ends. (Kubernetes' node controller stops evicting at the same share of a zone.)
class Brake {
public:
    static constexpr std::size_t least_nodes = 4;
    static constexpr std::size_t percent = 55;

    explicit Brake(Milliseconds patience) : patience_(patience) {}

    /// Call when a node has become silent or is heard again, and before one is given up. `nodes`: those not lost;
    /// `silent`: those of them that should have been heard. True in the call that begins or ends a hold.
    bool update(std::size_t nodes, std::size_t silent, Milliseconds now)
    {
        const bool was_holding = is_holding();
        if (nodes < least_nodes || silent * 100 <= nodes * percent) {
            since_.reset();
            is_spent_ = false;
        } else if (!since_) {
            since_ = now;
        } else if (now - *since_ >= patience_) {
            is_spent_ = true; // until most nodes are heard again
        }
        return is_holding() != was_holding;
    }

    /// Most nodes are silent, whether or not that is still put up with.
    bool is_engaged() const { return since_.has_value(); }

    /// No node is given up for its silence.
    bool is_holding() const { return since_ && !is_spent_; }

private:
    Milliseconds patience_;
    std::optional<Milliseconds> since_;
    bool is_spent_ = false;
};

} // namespace sdfleet::coordinator
