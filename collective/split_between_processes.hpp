// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/error.hpp"
#include "proto/split.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

namespace sdfleet::collective {

/// Whether every process gets equally many items, the last item of the input being repeated where it is short of one:
/// what operations need that take equal sizes of all ranks. The results of repeated items are to be dropped afterwards.
enum class Padding : std::uint8_t { none, repeat_last_item };

/// As accelerate's argument is called: split_between_processes(items, apply_padding).
inline constexpr Padding apply_padding = Padding::repeat_last_item;

/// What one process gets of `count` items: those of `range`, and then the last of all `repeats` times.
struct Share {
    proto::IndexRange range;
    std::size_t repeats = 0;
    std::size_t count = 0; ///< of all processes' items

    bool operator==(const Share&) const = default;
};

/// accelerate's rule, to the item. Of no items everybody gets none, padding or not. Requires rank < num_processes.
inline Share share_of(std::size_t count, std::uint32_t num_processes, std::uint32_t rank, Padding padding)
{
    const auto range = proto::split_between_processes(count, num_processes, rank);
    const auto longest = proto::split_between_processes(count, num_processes, 0);
    const std::size_t missing = (longest.end - longest.begin) - (range.end - range.begin);
    return {range, padding == Padding::none ? 0 : missing, count};
}

// take(items, ...) gives a process its share of a collection. An overload for another type of collection (tensors have
// theirs in tensor_split.hpp) makes PartialState::split_between_processes take that type, too.

template <class T>
std::vector<T> take(const std::vector<T>& items, std::uint32_t num_processes, std::uint32_t rank, Padding padding)
{
    const Share share = share_of(items.size(), num_processes, rank, padding);
    const auto begin = items.begin();
    std::vector<T> mine(begin + static_cast<std::ptrdiff_t>(share.range.begin),
                        begin + static_cast<std::ptrdiff_t>(share.range.end));
    for (std::size_t i = 0; i < share.repeats; ++i) {
        mine.push_back(items.back());
    }
    return mine;
}

/// InvalidArgument: "split_between_processes: 'a' has 3 items and 'b' has 2; ..."
Error unequal_columns(const std::string& one, std::size_t items_of_one, const std::string& other,
                      std::size_t items_of_other);

/// Columns of equal length, split alike: {"prompt": [...], "negative_prompt": [...]}. InvalidArgument, naming two columns,
/// when their lengths differ; also with one process, where accelerate would not notice.
template <class Key, class T>
Result<std::map<Key, std::vector<T>>> take(const std::map<Key, std::vector<T>>& columns, std::uint32_t num_processes,
                                           std::uint32_t rank, Padding padding)
{
    const auto name = [](const Key& key) {
        if constexpr (std::is_convertible_v<Key, std::string>) {
            return std::string(key);
        } else {
            return std::to_string(key);
        }
    };
    std::map<Key, std::vector<T>> mine;
    for (const auto& [key, items] : columns) {
        const auto& [first_key, first_items] = *columns.begin();
        if (items.size() != first_items.size()) {
            return tl::unexpected(unequal_columns(name(first_key), first_items.size(), name(key), items.size()));
        }
        mine.emplace(key, take(items, num_processes, rank, padding));
    }
    return mine;
}

} // namespace sdfleet::collective
