// SPDX-License-Identifier: Apache-2.0
// Enumerators as the words of our output, text and JSON alike. The words are part of sdctl's interface.
#pragma once

#include "proto/messages.hpp"

namespace sdfleet::sdctl {

const char* to_text(proto::ItemState state);
const char* to_text(proto::JobState state);
const char* to_text(proto::NodeState state);
const char* to_text(proto::ActorPhase phase);
const char* to_text(proto::Split split);

} // namespace sdfleet::sdctl
