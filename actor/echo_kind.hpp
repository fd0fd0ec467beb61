// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_kind.hpp"

#include <cstddef>

namespace sdfleet::actor {

/// Gives back an item's prompt after a delay, repeated up to a size: for tests and benchmarks of the runtime. The delay is
/// ten steps long; up to `max_batch` items take theirs side by side.
class EchoKind : public ActorKind {
public:
    explicit EchoKind(std::size_t max_batch = 1) : max_batch_(max_batch) {}

    Outcome handle(const proto::Assign& assign, const WorkContext& context) override;
    std::size_t max_batch() const override { return max_batch_; }
    tl::expected<std::unique_ptr<BatchSession>, Failure> open_session(const proto::Assign& first) override;

private:
    std::size_t max_batch_;
};

} // namespace sdfleet::actor
