// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/fleet.hpp"
#include "proto/program_messages.hpp"

#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace sdfleet::coordinator {

/// The ranks of one node.
struct PlacedNode {
    proto::NodeId id;
    std::vector<proto::RankPlace> places;
};

/// Where every rank of a program runs; ranks are numbered node by node.
using Placement = std::vector<PlacedNode>;

struct Shortage {
    std::string reason;       ///< for people
    bool is_for_ever = false; ///< the fleet as it is could not hold the program even if it had nothing else to do
};

/// Chooses devices for all ranks or for none. Devices of actors that are at work may be chosen: they finish first. Not
/// chosen are devices that are lent to another program, or have failed, or whose node drains or is silent. As few nodes as
/// possible, or exactly `spec.nodes` with equal shares; idle devices first.
tl::expected<Placement, Shortage> place(const Fleet& fleet, const proto::ProgramSpec& spec, const proto::ProgramId& id);

/// Where the others find rank 0: this node's address, or a loopback one when all ranks are on one machine. An error when
/// the nodes' addresses do not fit each other.
tl::expected<std::string, std::string> master_address(const Fleet& fleet, const Placement& placement);

} // namespace sdfleet::coordinator
