// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/program_placement.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace sdfleet::coordinator {

namespace {

bool is_loopback(const std::string& address)
{
    return address.empty() || address == "localhost" || address == "::1" || address.starts_with("127.");
}

bool is_healthy(const Actor& actor)
{
    return actor.state.phase != proto::ActorPhase::failed;
}

/// To a program that waits: where the phase says lent, ranks of somebody else, or of an earlier life, are still ending.
bool may_be_lent(const Actor& actor, const proto::ProgramId& id)
{
    return (actor.lent_to.value.empty() || actor.lent_to == id) && is_healthy(actor) &&
           actor.state.phase != proto::ActorPhase::lent;
}

/// What a node could give.
struct Offer {
    const Node* node = nullptr;
    std::vector<proto::Slot> slots; ///< idle ones first
    std::size_t idle = 0;
    std::size_t healthy = 0; ///< with those that others have now

    std::uint32_t ranks(const proto::ProgramSpec& spec) const
    {
        return static_cast<std::uint32_t>(slots.size()) / spec.devices_per_rank;
    }
    std::uint32_t idle_ranks(const proto::ProgramSpec& spec) const
    {
        return static_cast<std::uint32_t>(idle) / spec.devices_per_rank;
    }
    std::uint32_t ranks_ever(const proto::ProgramSpec& spec) const
    {
        return static_cast<std::uint32_t>(healthy) / spec.devices_per_rank;
    }
};

Offer offer_of(const Node& node, const proto::ProgramId& id)
{
    Offer offer{&node, {}, 0, 0};
    std::vector<proto::Slot> busy;
    for (const auto& [slot, actor] : node.actors) {
        offer.healthy += is_healthy(actor) ? 1 : 0;
        if (node.state != proto::NodeState::alive || node.is_draining || !may_be_lent(actor, id)) {
            continue;
        }
        (actor.in_flight.empty() ? offer.slots : busy).push_back(slot);
    }
    offer.idle = offer.slots.size();
    offer.slots.insert(offer.slots.end(), busy.begin(), busy.end());
    return offer;
}

std::vector<Offer> collect(const Fleet& fleet, const proto::ProgramId& id)
{
    std::vector<Offer> offers;
    for (const auto& [name, node] : fleet.nodes()) {
        if (node.state != proto::NodeState::lost) {
            offers.push_back(offer_of(node, id));
        }
    }
    return offers;
}

std::string plural(std::uint32_t count, const char* noun)
{
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string describe(const proto::ProgramSpec& spec)
{
    return plural(spec.ranks, "rank") +
           (spec.devices_per_rank > 1 ? " of " + plural(spec.devices_per_rank, "device") + " each" : "") +
           (spec.nodes > 0 ? " on " + plural(spec.nodes, "node") : "");
}

/// How many ranks each of the offers gets, in their order; nothing when they cannot hold all.
template <class Capacity>
std::optional<std::vector<std::uint32_t>> share(const std::vector<Offer>& offers, const proto::ProgramSpec& spec,
                                                const Capacity& capacity)
{
    std::vector<std::uint32_t> shares;
    if (spec.nodes == 0) {
        std::uint32_t left = spec.ranks;
        for (const auto& offer : offers) {
            const auto taken = std::min(left, capacity(offer));
            shares.push_back(taken);
            left -= taken;
        }
        return left == 0 ? std::optional(shares) : std::nullopt;
    }
    if (offers.size() < spec.nodes) {
        return std::nullopt;
    }
    for (std::uint32_t i = 0; i < spec.nodes; ++i) {
        const auto wanted = spec.ranks / spec.nodes + (i < spec.ranks % spec.nodes ? 1 : 0);
        if (capacity(offers[i]) < wanted) {
            return std::nullopt;
        }
        shares.push_back(wanted);
    }
    return shares;
}

/// Who gives how many ranks, by node id.
using Choice = std::vector<std::pair<const Offer*, std::uint32_t>>;

/// In the order in which `key` is greatest.
template <class Key>
std::optional<Choice> choose_by(const std::vector<Offer>& offers, const proto::ProgramSpec& spec, const Key& key)
{
    auto sorted = offers;
    std::ranges::stable_sort(sorted, std::greater(), key);
    const auto shares = share(sorted, spec, [&](const Offer& offer) { return offer.ranks(spec); });
    if (!shares) {
        return std::nullopt;
    }
    Choice choice;
    for (std::size_t i = 0; i < shares->size(); ++i) {
        if ((*shares)[i] > 0) {
            const auto offer = std::ranges::find(offers, sorted[i].node, &Offer::node);
            choice.emplace_back(&*offer, (*shares)[i]);
        }
    }
    std::ranges::sort(choice, {}, [](const auto& entry) { return entry.first->node->id; });
    return choice;
}

/// The most idle nodes, if that takes no more nodes than the largest ones would.
std::optional<Choice> choose(const std::vector<Offer>& offers, const proto::ProgramSpec& spec)
{
    auto idlest = choose_by(offers, spec,
                            [&](const Offer& offer) { return std::tuple(offer.idle_ranks(spec), offer.ranks(spec)); });
    auto largest = choose_by(offers, spec, [&](const Offer& offer) {
        return std::tuple(std::min(offer.ranks(spec), spec.ranks), offer.idle_ranks(spec));
    });
    return idlest && (!largest || idlest->size() <= largest->size()) ? idlest : largest;
}

bool could_ever_hold(std::vector<Offer> offers, const proto::ProgramSpec& spec)
{
    std::ranges::stable_sort(offers, std::greater(), [&](const Offer& offer) { return offer.ranks_ever(spec); });
    return share(offers, spec, [&](const Offer& offer) { return offer.ranks_ever(spec); }).has_value();
}

Shortage shortage_of(const std::vector<Offer>& offers, const proto::ProgramSpec& spec)
{
    std::uint32_t free = 0;
    std::uint32_t ever = 0;
    for (const auto& offer : offers) {
        free += offer.ranks(spec);
        ever += offer.ranks_ever(spec);
    }
    const auto have = offers.empty() ? std::string("no node has joined")
                                     : "the fleet's " + plural(static_cast<std::uint32_t>(offers.size()), "node") +
                                           " can hold " + std::to_string(ever) + ", " + std::to_string(free) +
                                           " of them not taken by other programs, draining or silent nodes";
    return {describe(spec) + " are wanted; " + have, !could_ever_hold(offers, spec)};
}

} // namespace

tl::expected<Placement, Shortage> place(const Fleet& fleet, const proto::ProgramSpec& spec, const proto::ProgramId& id)
{
    const auto offers = collect(fleet, id);
    const auto chosen = choose(offers, spec);
    if (!chosen) {
        return tl::unexpected(shortage_of(offers, spec));
    }
    Placement placement;
    std::uint32_t rank = 0;
    for (const auto& [offer, count] : *chosen) {
        PlacedNode placed{offer->node->id, {}};
        std::vector slots(offer->slots.begin(), offer->slots.begin() + count * spec.devices_per_rank);
        std::ranges::sort(slots);
        for (std::uint32_t local = 0; local < count; ++local, ++rank) {
            const auto first = slots.begin() + local * spec.devices_per_rank;
            placed.places.push_back({{rank}, local, std::vector(first, first + spec.devices_per_rank)});
        }
        placement.push_back(std::move(placed));
    }
    return placement;
}

tl::expected<std::string, std::string> master_address(const Fleet& fleet, const Placement& placement)
{
    constexpr const char* loopback = "127.0.0.1";
    if (placement.size() == 1) {
        return loopback;
    }
    const auto& first = *fleet.find(placement.front().id);
    bool is_same_machine = true;
    for (const auto& placed : placement) {
        is_same_machine = is_same_machine && is_loopback(fleet.find(placed.id)->address);
    }
    if (is_same_machine) {
        return loopback;
    }
    if (is_loopback(first.address)) {
        return tl::unexpected(
            "rank 0 would be on node " + first.id.value +
            ", whose address the other nodes cannot reach (it dials the coordinator over the loopback "
            "interface): start its agent with --address HOST");
    }
    return first.address;
}

} // namespace sdfleet::coordinator
