// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_kind.hpp"

namespace sdfleet::actor {

/// Gives back an item's prompt after a delay, repeated up to a size: for tests and benchmarks of the runtime. Reports ten
/// steps when there is a delay.
class EchoKind : public ActorKind {
public:
    Outcome handle(const proto::Assign& assign, const WorkContext& context) override;
};

} // namespace sdfleet::actor
