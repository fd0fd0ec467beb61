// SPDX-License-Identifier: Apache-2.0
#include "collective/rendezvous_link.hpp"

#include <algorithm>

namespace sdfleet::collective {

Result<proto::GroupFormed> read_answer(const proto::GroupJoin& join, proto::GroupFormed formed)
{
    constexpr std::size_t key_length = 40;
    bool is_right =
        formed.members.size() == join.world_size && formed.group == join.group && formed.epoch == join.epoch;
    for (std::size_t i = 0; i < formed.members.size() && is_right; ++i) {
        const auto& member = formed.members[i];
        is_right = member.rank.value == i && member.public_key.size() == key_length;
    }
    if (!is_right || formed.members[join.member.rank.value] != join.member) {
        return tl::unexpected(
            Error{NotFormed{}, "forming group " + join.group.value + ", epoch " + std::to_string(join.epoch.value) +
                                   ": the rendezvous answered with another group than this rank joined"});
    }
    return formed;
}

Error error_of(const proto::GroupRefused& refused, std::chrono::milliseconds timeout)
{
    const auto message = "forming " + refused.message;
    if (refused.reason == proto::GroupRefusal::timed_out) {
        return {TimedOut{refused.missing, timeout}, message};
    }
    return {NotFormed{}, message};
}

Error error_of(const proto::GroupAbort& abort)
{
    if (abort.lost.empty()) {
        return {Aborted{}, abort.message};
    }
    return {PeerLost{abort.lost}, abort.message};
}

std::uint32_t patience_ms(Deadline deadline)
{
    using std::chrono::milliseconds;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline.at - Deadline::Clock::now());
    const auto way_back = std::min(left / 4, milliseconds(250));
    constexpr milliseconds longest{3'600'000};
    return static_cast<std::uint32_t>(std::clamp(left - way_back, milliseconds(1), longest).count());
}

} // namespace sdfleet::collective
