// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/pace.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

Work work_of(const proto::JobSpec& spec)
{
    if (const auto* echo = std::get_if<proto::EchoParameters>(&spec.parameters.kind)) {
        return {"echo", 1.0 + echo->delay_ms, 1};
    }
    constexpr double guessed_step_ms = 100;
    const auto& picture = std::get<proto::DiffusionParameters>(spec.parameters.kind);
    return {spec.model + " " + std::to_string(picture.width) + "x" + std::to_string(picture.height),
            std::max(1.0, static_cast<double>(picture.num_inference_steps)), guessed_step_ms};
}

void Pace::learn(const std::string& kind, double ms_per_unit)
{
    constexpr double weight = 0.3; // of the newest
    const auto [entry, is_new] = entries_.try_emplace(kind, Entry{ms_per_unit, 0});
    entry->second.ms_per_unit += weight * (ms_per_unit - entry->second.ms_per_unit);
    entry->second.learnt_at = ++lessons_;
    if (is_new && entries_.size() > capacity_) {
        entries_.erase(
            std::ranges::min_element(entries_, {}, [](const auto& candidate) { return candidate.second.learnt_at; }));
    }
}

std::optional<double> Pace::find(const std::string& kind) const
{
    const auto found = entries_.find(kind);
    return found == entries_.end() ? std::nullopt : std::optional(found->second.ms_per_unit);
}

} // namespace sdfleet::coordinator
