// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/dynamic_bitset.hpp>

namespace sdfleet::coordinator {

/// Some of the numbers from 0 to size - 1, at one bit each. front() is fast when numbers mostly leave at the front, as
/// those of a queue do.
class IndexSet {
public:
    explicit IndexSet(std::size_t size) : bits_(size) {}

    bool empty() const { return count_ == 0; }
    std::size_t count() const { return count_; }

    void insert(std::uint32_t index)
    {
        if (!bits_.test_set(index)) {
            ++count_;
            first_ = count_ == 1 ? index : std::min(first_, index);
        }
    }

    void erase(std::uint32_t index)
    {
        if (!bits_.test_set(index, false)) {
            return;
        }
        --count_;
        if (index == first_ && count_ > 0) {
            first_ = static_cast<std::uint32_t>(bits_.find_next(index));
        }
    }

    /// The smallest; the set must not be empty.
    std::uint32_t front() const { return first_; }

    std::vector<std::uint32_t> to_vector() const
    {
        std::vector<std::uint32_t> all;
        all.reserve(count_);
        for (auto at = bits_.find_first(); at != bits_.npos; at = bits_.find_next(at)) {
            all.push_back(static_cast<std::uint32_t>(at));
        }
        return all;
    }

private:
    boost::dynamic_bitset<> bits_;
    std::size_t count_ = 0;
    std::uint32_t first_ = 0; ///< the smallest, when there is one
};

} // namespace sdfleet::coordinator
