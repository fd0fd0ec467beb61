// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::sim {

/// A bug put between the cores and the world, to see that the checks see it.
enum class Mutation {
    none,
    acknowledges_early, ///< the disk says "committed" before it is
    accepts_superseded, ///< a result of an attempt that no longer counts is acknowledged as accepted
    ignores_lease_loss, ///< the agent believes its heartbeats acknowledged, whatever happens
};

} // namespace sdfleet::sim
