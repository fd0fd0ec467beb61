// SPDX-License-Identifier: Apache-2.0
#include "collective/core/missing_ranks.hpp"

#include <utility>

namespace sdfleet::collective {

MissingRanks::MissingRanks(Rank self, std::vector<Rank> waited_for)
    : self_(self), waited_for_(std::move(waited_for)), unasked_(waited_for_.begin(), waited_for_.end())
{
}

std::vector<Rank> MissingRanks::take_unasked()
{
    const auto unasked = std::exchange(unasked_, {});
    silent_.insert(unasked.begin(), unasked.end());
    return {unasked.begin(), unasked.end()};
}

void MissingRanks::answer(Rank from, const std::vector<Rank>& waits_for)
{
    if (silent_.erase(from) == 0) {
        return; // was not asked, or answers twice
    }
    present_.insert(from);
    for (const auto rank : waits_for) {
        if (rank != self_ && !silent_.contains(rank) && !present_.contains(rank)) {
            unasked_.insert(rank);
        }
    }
}

std::vector<Rank> MissingRanks::missing() const
{
    auto missing = silent_;
    missing.insert(unasked_.begin(), unasked_.end());
    return missing.empty() ? waited_for_ : std::vector<Rank>(missing.begin(), missing.end());
}

} // namespace sdfleet::collective
