// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/brake_watch.hpp"

#include "tests/sim/violation.hpp"

#include <algorithm>
#include <string>

namespace sdfleet::sim {

namespace {

constexpr std::size_t least_nodes = 4;
constexpr std::size_t percent = 55;

bool says(const coordinator::Log& log, const char* words)
{
    return log.text.find(words) != std::string::npos;
}

} // namespace

void BrakeWatch::coordinator_starts()
{
    present_.clear();
    since_.reset();
}

bool BrakeWatch::are_most_silent(const Silence& silence, Time now, coordinator::Milliseconds longer_than) const
{
    const auto silent = static_cast<std::size_t>(std::ranges::count_if(present_, [&](const auto& node) {
        const auto heard = silence.heard().find(node);
        return heard != silence.heard().end() && now - heard->second >= longer_than.count;
    }));
    return present_.size() >= least_nodes && silent * 100 > present_.size() * percent;
}

void BrakeWatch::before_step(const Silence& silence, Time now)
{
    if (!are_most_silent(silence, now, options_.suspect_after())) {
        since_.reset();
    } else if (!since_) {
        since_ = now;
    }
}

void BrakeWatch::after_step(const Silence& silence, const coordinator::Effects& effects, Time now)
{
    for (const auto& effect : effects) {
        const auto* log = std::get_if<coordinator::Log>(&effect);
        if (log == nullptr || log->subject.node.empty()) {
            continue;
        }
        const proto::NodeId node{log->subject.node};
        if (says(*log, " joined from ")) {
            present_.insert(node);
        } else if (says(*log, " is lost: ")) {
            const bool is_patient = since_ && now - *since_ < options_.brake_timeout.count;
            const bool is_held = is_patient && are_most_silent(silence, now, options_.lease);
            require(!is_held || !says(*log, " is lost: silent"), "I11", [&] {
                return node.value + " is given up for its silence while most of " + std::to_string(present_.size()) +
                       " nodes are silent";
            });
            present_.erase(node);
        }
    }
}

} // namespace sdfleet::sim
