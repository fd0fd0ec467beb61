// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"

#include <set>
#include <vector>

namespace sdfleet::collective {

/// Finds out, shortly before a deadline, for whom everybody waits. Whoever answers the question "what are you waiting for?"
/// is there, and is held up by those that it names; who does not answer is missing. So a rank that waits for rank 0,
/// which waits for rank 3, learns that it is rank 3 that did not come.
class MissingRanks {
public:
    MissingRanks(Rank self, std::vector<Rank> waited_for);

    /// Those whom nobody has asked yet; they count as asked from now on.
    std::vector<Rank> take_unasked();

    void answer(Rank from, const std::vector<Rank>& waits_for);

    /// Who did not answer; everybody answered: whom this rank itself waits for.
    std::vector<Rank> missing() const;

private:
    Rank self_;
    std::vector<Rank> waited_for_;
    std::set<Rank> unasked_;
    std::set<Rank> silent_; ///< asked, without an answer
    std::set<Rank> present_;
};

} // namespace sdfleet::collective
