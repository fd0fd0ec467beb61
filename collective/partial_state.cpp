// SPDX-License-Identifier: Apache-2.0
#include "collective/partial_state.hpp"

#include "collective/device_facts.hpp"

namespace sdfleet::collective {

struct PartialState::Connection {
    InitOptions options;
    std::optional<ProcessGroup> group;
};

Result<PartialState> PartialState::from_environment(const InitOptions& options)
{
    const auto environment = read_rank_environment();
    if (!environment) {
        return tl::unexpected(environment.error());
    }
    return PartialState(*environment, options);
}

PartialState::PartialState(const RankEnvironment& environment, const InitOptions& options)
    : environment_(environment), device_(rank_device(read_device_facts(), environment.local_rank)),
      connection_(std::make_shared<Connection>(Connection{options, std::nullopt}))
{
}

Result<ProcessGroup*> PartialState::process_group()
{
    if (!use_distributed()) {
        return nullptr;
    }
    if (!connection_->group) {
        auto options = connection_->options;
        constexpr std::string_view gpu = "cuda:";
        if (device_.starts_with(gpu) && !options.nccl.device) {
            options.nccl.device = std::stoi(device_.substr(gpu.size())); // the one that device() names
        }
        auto group = init_process_group(device_ == "cpu" ? Backend::zmq : Backend::nccl, options);
        if (!group) {
            return tl::unexpected(group.error());
        }
        connection_->group.emplace(std::move(*group));
    }
    return &*connection_->group;
}

void PartialState::destroy_process_group()
{
    connection_->group.reset();
}

Result<void> PartialState::wait_for_everyone(Timeout timeout)
{
    return process_group().and_then(
        [&](ProcessGroup* group) { return group ? group->barrier(timeout) : Result<void>(); });
}

Result<std::vector<Bytes>> PartialState::all_gather(const Bytes& mine, Timeout timeout)
{
    return process_group().and_then([&](ProcessGroup* group) { return group->all_gather(mine, timeout); });
}

Error PartialState::other_type(std::size_t rank, const std::string& expected)
{
    return {OperationMismatch{}, "gather_object: rank " + std::to_string(rank) +
                                     " gathers objects of another type than this one, which gathers " + expected};
}

} // namespace sdfleet::collective
