// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sdfleet::proto {

struct IndexRange {
    std::size_t begin = 0;
    std::size_t end = 0; ///< one past the last

    bool operator==(const IndexRange&) const = default;
};

/// The share of process `rank` when `count` items are split between `num_processes` processes: the rule of accelerate's
/// PartialState.split_between_processes without padding. Equal shares in order; the first `count % num_processes`
/// ranks get one more. Requires rank < num_processes.
IndexRange split_between_processes(std::size_t count, std::size_t num_processes, std::size_t rank);

/// The inverse: the rank whose share holds item `index`. Requires index < count.
std::size_t rank_of_item(std::size_t index, std::size_t count, std::size_t num_processes);

} // namespace sdfleet::proto
