// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/rank_watch.hpp"

#include "tests/sim/rank_process.hpp"
#include "tests/sim/violation.hpp"

#include <iterator>

namespace sdfleet::sim {

void RankWatch::starts(const std::shared_ptr<RankProcess>& rank, Time now)
{
    auto& its_try = tries_[rank->run().program_id][rank->run().epoch];
    its_try.began_at = its_try.ranks.empty() ? now : its_try.began_at;
    its_try.ranks.push_back(rank);
}

void RankWatch::check(const std::string& host, Time now) const
{
    for (const auto& [program, tries] : tries_) {
        for (auto older = tries.begin(); older != tries.end(); ++older) {
            const auto newer = std::next(older);
            if (newer == tries.end() || now <= newer->second.began_at + lease_ms_ + reaction_ms) {
                continue;
            }
            for (const auto& weak : older->second.ranks) {
                const auto rank = weak.lock();
                const bool is_here = rank != nullptr && rank->name().starts_with(host + "/");
                require(!is_here || !rank->is_alive() || rank->is_doomed(), "I16", [&] {
                    return rank->name() + " still runs, and the next try began at " +
                           std::to_string(newer->second.began_at) + " ms";
                });
            }
        }
    }
}

} // namespace sdfleet::sim
