// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/program_placement.hpp"

#include "tests/catch.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <rapidcheck.h>

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

const proto::ProgramId ours{"ours"};

/// A fleet of nodes that the test describes device by device: 'i'dle, 'b'usy, 'f'ailed, 'l'ent to another program,
/// 'o'urs (reserved already), 'e'nding ranks of an earlier life.
struct Devices : Fleet {
    Node& add(const std::string& id, const std::string& devices)
    {
        Node& node = nodes()[{id}];
        node.id = {id};
        for (std::uint32_t slot = 0; slot < devices.size(); ++slot) {
            Actor& actor = node.actors[{slot}];
            actor.state = {{slot}, "cpu", proto::ActorPhase::ready, 100 + slot, 0, ""};
            const char what = devices[slot];
            if (what == 'b') {
                actor.in_flight.push_back({slot + 1});
            } else if (what == 'f') {
                actor.state.phase = proto::ActorPhase::failed;
            } else if (what == 'e') {
                actor.state.phase = proto::ActorPhase::lent;
            } else if (what == 'l') {
                actor.lent_to = {"another"};
            } else if (what == 'o') {
                actor.lent_to = ours;
            }
        }
        return node;
    }
};

proto::ProgramSpec ranks(std::uint32_t count, std::uint32_t nodes = 0, std::uint32_t devices_per_rank = 1)
{
    proto::ProgramSpec spec;
    spec.command = {"true"};
    spec.ranks = count;
    spec.nodes = nodes;
    spec.devices_per_rank = devices_per_rank;
    return spec;
}

/// "a:0,1 b:2": every node with the slots that it gives, in the ranks' order.
std::string text_of(const Placement& placement)
{
    std::string text;
    for (const auto& node : placement) {
        text += (text.empty() ? "" : " ") + node.id.value + ":";
        std::string slots;
        for (const auto& place : node.places) {
            for (const auto slot : place.slots) {
                slots += (slots.empty() ? "" : ",") + std::to_string(slot.value);
            }
        }
        text += slots;
    }
    return text;
}

std::string placed(const Fleet& fleet, const proto::ProgramSpec& spec)
{
    const auto placement = place(fleet, spec, ours);
    INFO((placement ? "" : placement.error().reason));
    REQUIRE(placement);
    return text_of(*placement);
}

Shortage shortage(const Fleet& fleet, const proto::ProgramSpec& spec)
{
    const auto placement = place(fleet, spec, ours);
    REQUIRE_FALSE(placement);
    return placement.error();
}

} // namespace

TEST_CASE("a program gets as few nodes as can hold it")
{
    Devices fleet;
    fleet.add("a", "iii");
    fleet.add("b", "iiii");
    fleet.add("c", "i");

    REQUIRE(placed(fleet, ranks(4)) == "b:0,1,2,3");
    REQUIRE(placed(fleet, ranks(5)) == "a:0 b:0,1,2,3");
    REQUIRE(placed(fleet, ranks(8)) == "a:0,1,2 b:0,1,2,3 c:0");
}

TEST_CASE("a node that can hold the whole program alone is chosen although others are more idle")
{
    Devices fleet;
    fleet.add("a", "iii");
    fleet.add("b", "iibb");
    fleet.add("c", "bbbbbbbb");

    REQUIRE(placed(fleet, ranks(4)) == "b:0,1,2,3");
}

TEST_CASE("of equally good nodes the idle ones are chosen, and of a node the idle devices")
{
    Devices fleet;
    fleet.add("a", "bb");
    fleet.add("b", "bibi");

    REQUIRE(placed(fleet, ranks(2)) == "b:1,3");
    REQUIRE(placed(fleet, ranks(1)) == "b:1");
}

TEST_CASE("devices at work are chosen when there are no others: they will be idle")
{
    Devices fleet;
    fleet.add("a", "bi");

    REQUIRE(placed(fleet, ranks(2)) == "a:0,1");
}

TEST_CASE("ranks are spread over exactly the nodes that were asked for, with equal shares")
{
    Devices fleet;
    fleet.add("a", "iiii");
    fleet.add("b", "iiii");
    fleet.add("c", "ii");

    REQUIRE(placed(fleet, ranks(4, 2)) == "a:0,1 b:0,1");
    REQUIRE(placed(fleet, ranks(5, 2)) == "a:0,1,2 b:0,1");
    REQUIRE(placed(fleet, ranks(6, 3)) == "a:0,1 b:0,1 c:0,1");
    REQUIRE(placed(fleet, ranks(3, 3)) == "a:0 b:0 c:0");
}

TEST_CASE("when the idle nodes are too small for their share the large ones are asked")
{
    Devices fleet;
    fleet.add("a", "ii");
    fleet.add("b", "bbb");
    fleet.add("c", "bbb");

    REQUIRE(placed(fleet, ranks(6, 2)) == "b:0,1,2 c:0,1,2");
}

TEST_CASE("a rank's devices are all of one node")
{
    Devices fleet;
    fleet.add("a", "iii");
    fleet.add("b", "iiiii");

    const auto placement = place(fleet, ranks(3, 0, 2), ours);

    REQUIRE(placement);
    REQUIRE(text_of(*placement) == "a:0,1 b:0,1,2,3");
    const auto& places = placement->at(1).places;
    REQUIRE(places.size() == 2);
    REQUIRE(places[0].rank == proto::Rank{1});
    REQUIRE(places[0].local_rank == 0);
    REQUIRE(places[1].rank == proto::Rank{2});
    REQUIRE(places[1].local_rank == 1);
    REQUIRE(places[1].slots == std::vector<proto::Slot>{{2}, {3}});
}

TEST_CASE("what has failed, is lent, or still holds ranks that end is not chosen")
{
    Devices fleet;
    fleet.add("a", "flei");

    REQUIRE(placed(fleet, ranks(1)) == "a:3");
    REQUIRE_FALSE(place(fleet, ranks(2), ours));
}

TEST_CASE("devices that the program reserved before may be chosen again, but not when they failed meanwhile")
{
    Devices fleet;
    Node& node = fleet.add("a", "ooi");

    REQUIRE(placed(fleet, ranks(3)) == "a:0,1,2");

    node.actors[{1}].state.phase = proto::ActorPhase::failed;
    REQUIRE(placed(fleet, ranks(2)) == "a:0,2");
}

TEST_CASE("nodes that drain, are silent or lost give nothing")
{
    Devices fleet;
    fleet.add("drains", "ii").is_draining = true;
    fleet.add("silent", "ii").state = proto::NodeState::suspect;
    fleet.add("lost", "ii").state = proto::NodeState::lost;
    fleet.add("well", "i");

    REQUIRE(placed(fleet, ranks(1)) == "well:0");
    REQUIRE_FALSE(place(fleet, ranks(2), ours));
}

TEST_CASE("a shortage says what is wanted and what there is, and whether waiting can help")
{
    Devices fleet;
    fleet.add("a", "il");
    fleet.add("b", "ff");

    const auto now = shortage(fleet, ranks(2));
    REQUIRE_FALSE(now.is_for_ever);
    REQUIRE(now.reason.find("2 ranks are wanted; the fleet's 2 nodes can hold 2, 1 of them") == 0);

    const auto ever = shortage(fleet, ranks(3));
    REQUIRE(ever.is_for_ever);
}

TEST_CASE("a draining or silent node may come back: waiting for it can help; for a lost one it cannot")
{
    Devices fleet;
    Node& node = fleet.add("a", "ii");

    node.is_draining = true;
    REQUIRE_FALSE(shortage(fleet, ranks(2)).is_for_ever);
    node.is_draining = false;
    node.state = proto::NodeState::suspect;
    REQUIRE_FALSE(shortage(fleet, ranks(2)).is_for_ever);
    node.state = proto::NodeState::lost;
    const auto lost = shortage(fleet, ranks(2));
    REQUIRE(lost.is_for_ever);
    REQUIRE(lost.reason == "2 ranks are wanted; no node has joined");
}

TEST_CASE("nodes and devices per rank count for what the fleet can ever hold")
{
    Devices fleet;
    fleet.add("a", "iii");
    fleet.add("b", "iii");

    REQUIRE(shortage(fleet, ranks(2, 0, 4)).is_for_ever);
    REQUIRE(shortage(fleet, ranks(3, 0, 2)).is_for_ever); // 6 devices, but 1 rank a node
    REQUIRE(shortage(fleet, ranks(3, 3)).is_for_ever);
    REQUIRE(shortage(fleet, ranks(3, 3)).reason.find("3 ranks on 3 nodes are wanted") == 0);
}

TEST_CASE("ranks of one node, or of one machine, meet on its loopback interface")
{
    Devices fleet;
    fleet.add("a", "ii").address = "10.0.0.1";
    REQUIRE(master_address(fleet, *place(fleet, ranks(2), ours)) == "127.0.0.1");

    fleet.add("b", "ii").address = "127.0.0.1";
    fleet.find(proto::NodeId{"a"})->address = "";
    REQUIRE(master_address(fleet, *place(fleet, ranks(4), ours)) == "127.0.0.1");
}

TEST_CASE("ranks of several machines meet at rank 0's node")
{
    Devices fleet;
    fleet.add("a", "i").address = "10.0.0.1";
    fleet.add("b", "i").address = "10.0.0.2";

    REQUIRE(master_address(fleet, *place(fleet, ranks(2), ours)) == "10.0.0.1");
}

TEST_CASE("rank 0's node must have an address that the others can reach")
{
    Devices fleet;
    fleet.add("a", "i").address = "127.0.0.1";
    fleet.add("b", "i").address = "10.0.0.2";

    const auto address = master_address(fleet, *place(fleet, ranks(2), ours));

    REQUIRE_FALSE(address);
    REQUIRE(address.error().find("node a") != std::string::npos);
    REQUIRE(address.error().find("--address") != std::string::npos);
}

TEST_CASE("whatever the fleet, a placement gives no device twice and honours what was asked for")
{
    REQUIRE(rc::check("placements are sound", [] {
        Devices fleet;
        const auto node_count = *rc::gen::inRange<std::size_t>(0, 6);
        for (std::size_t i = 0; i < node_count; ++i) {
            const auto devices = *rc::gen::container<std::string>(
                rc::gen::element('i', 'i', 'i', 'b', 'b', 'f', 'l', 'o', 'e')); // rapidcheck keeps them short
            fleet.add("node-" + std::to_string(i), devices).is_draining =
                *rc::gen::weightedElement<bool>({{5, false}, {1, true}});
        }
        const auto spec = ranks(*rc::gen::inRange<std::uint32_t>(1, 9), *rc::gen::inRange<std::uint32_t>(0, 4),
                                *rc::gen::inRange<std::uint32_t>(1, 4));
        RC_PRE(spec.nodes <= spec.ranks);

        const auto placement = place(fleet, spec, ours);

        std::size_t room = 0;
        for (const auto& [id, node] : fleet.nodes()) {
            const auto free = std::ranges::count_if(node.actors, [&](const auto& entry) {
                const auto& actor = entry.second;
                return actor.state.phase == proto::ActorPhase::ready &&
                       (actor.lent_to.value.empty() || actor.lent_to == ours);
            });
            room += node.is_draining ? 0 : static_cast<std::size_t>(free) / spec.devices_per_rank;
        }
        if (!placement) {
            RC_ASSERT(spec.nodes > 0 || room < spec.ranks);
            return;
        }
        RC_ASSERT(room >= spec.ranks);
        RC_ASSERT(spec.nodes == 0 || placement->size() == spec.nodes);
        std::set<proto::ActorId> given;
        std::uint32_t next = 0;
        for (const auto& node : *placement) {
            RC_ASSERT(!node.places.empty());
            RC_ASSERT(!fleet.find(node.id)->is_draining);
            std::uint32_t local = 0;
            for (const auto& place : node.places) {
                RC_ASSERT(place.rank.value == next++);
                RC_ASSERT(place.local_rank == local++);
                RC_ASSERT(place.slots.size() == spec.devices_per_rank);
                for (const auto slot : place.slots) {
                    RC_ASSERT(given.insert({node.id, slot}).second);
                    const Actor& actor = *fleet.find(proto::ActorId{node.id, slot});
                    RC_ASSERT(actor.state.phase == proto::ActorPhase::ready);
                    RC_ASSERT(actor.lent_to.value.empty() || actor.lent_to == ours);
                }
            }
        }
        RC_ASSERT(next == spec.ranks);
    }));
}
