// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "tests/sim/silence.hpp"

#include <optional>
#include <set>

namespace sdfleet::sim {

/// I11: while most of four or more nodes are silent at once, none is given up for it, until patience ends.
class BrakeWatch {
public:
    explicit BrakeWatch(const coordinator::Options& options) : options_(options) {}

    void coordinator_starts();
    void before_step(const Silence& silence, Time now);
    void after_step(const Silence& silence, const coordinator::Effects& effects, Time now);

private:
    bool are_most_silent(const Silence& silence, Time now, coordinator::Milliseconds longer_than) const;

    coordinator::Options options_;
    std::set<proto::NodeId> present_;
    std::optional<Time> since_; ///< when most became silent
};

} // namespace sdfleet::sim
