// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/job_spec.hpp"

#include <string>

namespace sdfleet::proto {

constexpr std::uint32_t max_batch_limit = 64; ///< items that one actor may draw at once, at most
constexpr bool is_valid_batch(std::uint32_t items)
{
    return items >= 1 && items <= max_batch_limit;
}

/// Items with equal keys can be drawn in one batch: the same kind of work, on the same model, of the same shape. What the
/// rows of a batch have for themselves is not in it: prompt, seed, steps, guidance, scheduler. An actor may tell items
/// apart more finely.
std::string batch_key(const std::string& model, const Parameters& parameters);

} // namespace sdfleet::proto
