// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/rank_host.hpp"

#include "tests/sim/violation.hpp"

#include <algorithm>

namespace sdfleet::sim {

void RankHost::hear(const agent::Event& event)
{
    const auto* word = std::get_if<agent::FromCoordinator>(&event);
    const auto* order = word == nullptr ? nullptr : std::get_if<proto::StartRanks>(&word->packet.message);
    if (order != nullptr) {
        for (const auto& place : order->places) {
            slots_[{order->run, place.rank}] = place.slots;
        }
    }
}

void RankHost::spawn(const agent::SpawnRank& spawn, const std::function<bool(proto::Slot)>& is_taken)
{
    const Key key{spawn.run, spawn.rank};
    const auto name = name_ + "/" + spawn.run.program_id.value + "." + std::to_string(spawn.run.epoch.value) + "/" +
                      std::to_string(spawn.rank.value);
    require(!ranks_.contains(key), "I16", [&] { return name + " is started twice"; });
    for (const auto slot : slots_.at(key)) {
        require(!is_taken(slot) && !has_rank_in(slot), "I16",
                [&] { return name + " starts in slot " + std::to_string(slot.value) + ", which is not free"; });
    }
    auto process = std::make_shared<RankProcess>(environment_, spawn, name, happens_);
    ranks_[key] = process;
    environment_.trace.note(environment_.now(), name, spawn.run.epoch.value, [] { return std::string("STARTS"); });
    watch_.starts(process, environment_.now());
    environment_.agenda.in(0, [process, spawn, happens = happens_] {
        happens(agent::RankSpawned{spawn.run, spawn.rank, 7});
        process->start();
    });
}

std::shared_ptr<RankProcess> RankHost::find(const proto::ProgramRun& run, proto::Rank rank) const
{
    const auto found = ranks_.find({run, rank});
    return found == ranks_.end() ? nullptr : found->second;
}

void RankHost::end(const agent::EndRank& end)
{
    if (const auto rank = find(end.run, end.rank)) {
        rank->end(end.ending);
    }
}

void RankHost::read(const agent::ReadOutput& read)
{
    const auto rank = find(read.run, read.rank);
    require(rank != nullptr, "I16", [&] { return name_ + " reads a rank that was never started"; });
    rank->read(read.stream);
}

void RankHost::choose_port(const agent::ChoosePort& choose)
{
    environment_.agenda.in(0, [happens = happens_, run = choose.run,
                               port = static_cast<std::uint16_t>(1'024 + environment_.random.below(60'000))] {
        happens(agent::PortChosen{run, port});
    });
}

void RankHost::send(const agent::SendToRank& send)
{
    const auto rank =
        std::ranges::find_if(ranks_, [&](const auto& entry) { return entry.second->name() == send.peer; });
    require(rank != ranks_.end(), "I16", [&] { return name_ + " speaks to a rank that there is not: " + send.peer; });
    if (rank->second->is_alive()) {
        rank->second->hear(send.packet.message);
    }
}

void RankHost::vanish()
{
    for (const auto& [key, rank] : ranks_) {
        rank->vanish();
    }
}

bool RankHost::has_rank_in(proto::Slot slot) const
{
    return std::ranges::any_of(ranks_, [&](const auto& entry) {
        const auto& slots = slots_.at(entry.first);
        return entry.second->is_alive() && std::ranges::find(slots, slot) != slots.end();
    });
}

/// Also with a pipe that nobody reads to its end.
bool RankHost::is_busy() const
{
    return std::ranges::any_of(ranks_, [](const auto& entry) { return !entry.second->is_over(); });
}

} // namespace sdfleet::sim
