// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/chaos.hpp"

namespace sdfleet::sim {

namespace {

constexpr Time look_interval = 250;
constexpr std::uint64_t often = 8'000; ///< per million looks
constexpr std::uint64_t seldom = 3'000;

} // namespace

Link& Chaos::any_link()
{
    auto index = environment_.random.below(agents_.size() + clients_.size() + launchers_.size());
    if (index < agents_.size()) {
        return agents_[index]->link();
    }
    index -= agents_.size();
    return index < clients_.size() ? clients_[index]->link() : launchers_[index - clients_.size()]->link();
}

AgentHost& Chaos::any_agent()
{
    return *agents_[environment_.random.below(agents_.size())];
}

void Chaos::strike()
{
    if (environment_.faults.is_over()) {
        return;
    }
    strike_network();
    strike_machines();
    if (environment_.faults.strikes(Fault::disk_full, seldom)) {
        disk_.fill_up(moment_within(500, 8'000));
    }
    if (environment_.faults.strikes(Fault::stranger, often)) {
        send_as_stranger();
    }
    environment_.agenda.in(look_interval, [this] { strike(); });
}

void Chaos::strike_network()
{
    auto& faults = environment_.faults;
    const auto way = environment_.random.chance(500) ? Direction::to_coordinator : Direction::from_coordinator;
    if (faults.strikes(Fault::cut, often)) {
        auto& link = any_link();
        const Time until = moment_within(200, 12'000);
        link.cut(Direction::to_coordinator, until, false);
        link.cut(Direction::from_coordinator, until, false);
    }
    if (faults.strikes(Fault::one_way_cut, often)) {
        any_link().cut(way, moment_within(200, 12'000), false);
    }
    if (faults.strikes(Fault::stall, often)) {
        any_link().cut(way, moment_within(200, 12'000), true);
    }
    if (faults.strikes(Fault::mass_cut, seldom)) {
        const Time until = moment_within(1'000, 12'000);
        for (const auto& agent : agents_) {
            agent->link().cut(way, until, false);
        }
    }
    if (faults.strikes(Fault::reconnect, often)) {
        any_agent().reconnect();
    }
}

void Chaos::strike_machines()
{
    auto& faults = environment_.faults;
    if (faults.strikes(Fault::coordinator_pause, seldom)) {
        coordinator_.pause(moment_within(100, 9'000));
    }
    if (faults.strikes(Fault::agent_pause, often)) {
        any_agent().pause(moment_within(100, 9'000));
    }
    if (faults.strikes(Fault::clone, seldom)) {
        start_clone();
    }
}

/// The younger of two is to win, whichever that is.
void Chaos::start_clone()
{
    const auto& original = any_agent();
    const bool is_younger = environment_.random.chance(500);
    if (original.incarnation() < 2) {
        return;
    }
    agents_.push_back(std::make_unique<AgentHost>(environment_, coordinator_, original.plan(),
                                                  original.name() + "-clone" + std::to_string(agents_.size())));
    agents_.back()->retire();
    agents_.back()->start(is_younger ? original.incarnation() + 1 : original.incarnation() - 1);
}

void Chaos::send_as_stranger()
{
    const proto::AttemptId attempt{(1ULL << 32U) + environment_.random.below(100)};
    const std::vector<proto::Message> words{
        proto::Heartbeat{1, {attempt}, {}, {}},
        proto::ItemDone{attempt, {"job-0"}, {0}, "image/png", std::string(64, 'a'), 1},
        proto::ItemFailed{attempt, {"job-0"}, {0}, proto::FailureReason::internal, "it broke"},
        proto::CancelJob{{"job-0"}},
        proto::Submit{{"job-of-a-stranger"}, {}},
        proto::Goodbye{"the end"},
        proto::Accepted{attempt},
        proto::Started{attempt},
        proto::WatchJob{{"job-0"}, 0, 1, 1'000},
    };
    coordinator_.receive_from_stranger(
        {{"stranger"}, {}, 1, words[environment_.random.below(words.size())], {proto::Blob::of("bytes")}, 0});
}

} // namespace sdfleet::sim
