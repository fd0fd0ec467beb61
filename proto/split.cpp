// SPDX-License-Identifier: Apache-2.0
#include "proto/split.hpp"

#include <algorithm>

namespace sdfleet::proto {

IndexRange split_between_processes(std::size_t count, std::size_t num_processes, std::size_t rank)
{
    const std::size_t share = count / num_processes;
    const std::size_t extras = count % num_processes;
    const std::size_t begin = rank * share + std::min(rank, extras);
    return {begin, begin + share + (rank < extras ? 1 : 0)};
}

std::size_t rank_of_item(std::size_t index, std::size_t count, std::size_t num_processes)
{
    const std::size_t share = count / num_processes;
    const std::size_t extras = count % num_processes;
    const std::size_t in_longer_shares = extras * (share + 1);
    return index < in_longer_shares ? index / (share + 1) : extras + (index - in_longer_shares) / share;
}

} // namespace sdfleet::proto
