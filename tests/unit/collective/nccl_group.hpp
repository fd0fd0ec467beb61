// SPDX-License-Identifier: Apache-2.0
// Process groups of Backend::nccl over the plug-in's double, ranks as threads; "device memory" is the host's.
#pragma once

#include "collective/device_collectives.hpp"
#include "collective/process_group_impl.hpp"
#include "nccl_story.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sdfleet::collective::test {

using Outcome = std::optional<Error>;
using Groups = std::vector<std::unique_ptr<ProcessGroup>>;

inline InitOptions nccl_options(std::chrono::milliseconds timeout = patience, std::uint64_t epoch = 1)
{
    auto options = options_with(timeout, epoch);
    options.nccl.library = SDFLEET_FAKE_NCCL;
    return options;
}

/// How forming went on each rank, with options that may differ.
inline std::vector<Result<std::unique_ptr<ProcessGroup>>>
form_nccl(std::uint32_t world_size, const std::function<InitOptions(std::uint32_t rank)>& options_of)
{
    using Formed = Result<std::unique_ptr<ProcessGroup>>;
    const ViaMaster master{"127.0.0.1", free_port(), ""};
    return on_ranks<Formed>(world_size, [&](std::uint32_t rank) -> Formed {
        return init_process_group(Backend::nccl, rank, world_size, master, options_of(rank))
            .map([](ProcessGroup group) { return std::make_unique<ProcessGroup>(std::move(group)); });
    });
}

inline Groups nccl_groups(std::uint32_t world_size, const InitOptions& options = nccl_options())
{
    Groups groups;
    for (auto& formed : form_nccl(world_size, [&](std::uint32_t) { return options; })) {
        if (!formed) {
            throw std::runtime_error(formed.error().message);
        }
        groups.push_back(std::move(*formed));
    }
    return groups;
}

/// What a rank does with its group and the group's device side.
using RankStory = std::function<Outcome(ProcessGroup&, DeviceCollectives&)>;

inline std::vector<Outcome> play(const Groups& groups, const RankStory& story)
{
    return on_ranks<Outcome>(static_cast<std::uint32_t>(groups.size()),
                             [&](std::uint32_t rank) { return story(*groups[rank], *groups[rank]->impl().device); });
}

inline Outcome outcome_of(const Result<void>& result)
{
    return result ? Outcome{} : Outcome{result.error()};
}

template <class CauseType>
const CauseType& cause_of(const Outcome& outcome)
{
    REQUIRE(outcome);
    INFO(outcome->message);
    REQUIRE(std::holds_alternative<CauseType>(outcome->cause));
    return std::get<CauseType>(outcome->cause);
}

} // namespace sdfleet::collective::test
