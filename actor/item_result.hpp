// SPDX-License-Identifier: Apache-2.0
// Internal to actor/: what the agent is told at an item's end.
#pragma once

#include "actor/actor_kind.hpp"
#include "base/sha256.hpp"
#include "proto/packet.hpp"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

namespace sdfleet::actor {

inline proto::Packet done(const proto::Assign& assign, Product product, std::chrono::milliseconds elapsed)
{
    proto::Packet packet;
    packet.message = proto::ItemDone{assign.attempt_id,
                                     assign.job_id,
                                     assign.index,
                                     std::move(product.media_type),
                                     base::sha256_hex(product.content.bytes),
                                     static_cast<std::uint64_t>(elapsed.count())};
    packet.blobs.push_back(std::move(product.content));
    return packet;
}

inline proto::Packet failed(const proto::Assign& assign, Failure failure)
{
    return {
        {},
        proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, failure.reason, std::move(failure.message)},
        {}};
}

/// Calls a kind; what it throws is a failure of the item.
template <class Call>
auto guarded(const Call& call) -> decltype(call())
{
    try {
        return call();
    } catch (const std::bad_alloc&) {
        return tl::unexpected(Failure{proto::FailureReason::out_of_memory, "out of memory"});
    } catch (const std::exception& error) {
        return tl::unexpected(Failure{proto::FailureReason::internal, error.what()});
    }
}

} // namespace sdfleet::actor
