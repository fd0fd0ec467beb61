// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sdfleet::coordinator {

/// The order in which a job's items changed last. Appending is all that a change costs: an item's older entries stay
/// until there are more of them than of valid ones, and are skipped by whoever reads (their change is not the item's).
class ChangeLog {
public:
    struct Entry {
        std::uint64_t change = 0;
        std::uint32_t index = 0;
    };

    void append(std::uint64_t change, std::uint32_t index) { entries_.push_back({change, index}); }

    /// Whether there are so many entries that those out of date should go.
    bool is_overgrown(std::size_t items) const { return entries_.size() > 2 * items + 64; }

    template <class IsValid>
    void prune(IsValid&& is_valid)
    {
        std::erase_if(entries_, [&](const Entry& entry) { return !is_valid(entry); });
        entries_.shrink_to_fit();
    }

    using Iterator = std::vector<Entry>::const_iterator;
    Iterator after(std::uint64_t change) const
    {
        return std::ranges::upper_bound(entries_, change, {}, &Entry::change);
    }
    Iterator end() const { return entries_.end(); }

private:
    std::vector<Entry> entries_; ///< by change
};

} // namespace sdfleet::coordinator
