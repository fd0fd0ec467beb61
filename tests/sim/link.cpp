// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/link.hpp"

#include "tests/sim/description.hpp"

#include <algorithm>

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t loss_per_million = 1'500;
constexpr std::uint64_t duplicate_per_million = 1'500;
constexpr std::uint64_t delay_per_million = 700;
constexpr std::uint64_t reorder_per_million = 1'500;

} // namespace

void Link::cut(Direction direction, Time until, bool stalls)
{
    auto& way = ways_.at(static_cast<std::size_t>(direction));
    way.cut_until = until;
    way.stalls = stalls;
}

void Link::heal()
{
    for (auto& way : ways_) {
        way.cut_until = 0;
    }
}

void Link::send(Direction direction, proto::Channel channel, const proto::Message& message,
                std::function<void()> deliver)
{
    auto& faults = environment_.faults;
    auto& way = ways_.at(static_cast<std::size_t>(direction));
    const Time now = environment_.now();
    const bool is_lost = (now < way.cut_until && !way.stalls) || faults.strikes(Fault::loss, loss_per_million);
    environment_.trace.note(now, name_, static_cast<std::uint64_t>(proto::type_of(message)), [&] {
        return std::string(direction == Direction::to_coordinator ? "-> " : "<- ") + describe(message) +
               (is_lost ? "   LOST" : "");
    });
    if (is_lost) {
        return;
    }
    Time arrival = std::max(now, way.cut_until) + environment_.random.between(0, 3);
    if (faults.strikes(Fault::delay, delay_per_million)) {
        arrival += environment_.random.between(50, 4'000);
    }
    auto& last = way.last_arrival.at(static_cast<std::size_t>(channel));
    if (faults.strikes(Fault::reorder, reorder_per_million)) {
        arrival += environment_.random.between(1, 1'000); // those behind it overtake it
    } else {
        arrival = last = std::max(last, arrival);
    }
    if (faults.strikes(Fault::duplicate, duplicate_per_million)) {
        environment_.agenda.at(arrival + environment_.random.between(0, 2'000), deliver);
    }
    environment_.agenda.at(arrival, std::move(deliver));
}

} // namespace sdfleet::sim
