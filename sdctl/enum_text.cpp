// SPDX-License-Identifier: Apache-2.0
#include "sdctl/enum_text.hpp"

namespace sdfleet::sdctl {

const char* to_text(proto::ItemState state)
{
    switch (state) {
    case proto::ItemState::queued:
        return "queued";
    case proto::ItemState::assigned:
        return "assigned";
    case proto::ItemState::running:
        return "running";
    case proto::ItemState::done:
        return "done";
    case proto::ItemState::failed:
        return "failed";
    case proto::ItemState::cancelled:
        return "cancelled";
    }
    return "";
}

const char* to_text(proto::JobState state)
{
    switch (state) {
    case proto::JobState::queued:
        return "queued";
    case proto::JobState::running:
        return "running";
    case proto::JobState::done:
        return "done";
    case proto::JobState::failed:
        return "failed";
    case proto::JobState::cancelled:
        return "cancelled";
    }
    return "";
}

const char* to_text(proto::NodeState state)
{
    switch (state) {
    case proto::NodeState::alive:
        return "alive";
    case proto::NodeState::suspect:
        return "suspect";
    case proto::NodeState::lost:
        return "lost";
    }
    return "";
}

const char* to_text(proto::ActorPhase phase)
{
    switch (phase) {
    case proto::ActorPhase::starting:
        return "starting";
    case proto::ActorPhase::ready:
        return "ready";
    case proto::ActorPhase::restarting:
        return "restarting";
    case proto::ActorPhase::failed:
        return "failed";
    case proto::ActorPhase::lent:
        return "lent";
    case proto::ActorPhase::vacant:
        return "vacant";
    }
    return "";
}

const char* to_text(proto::Split split)
{
    switch (split) {
    case proto::Split::pull:
        return "pull";
    case proto::Split::contiguous:
        return "contiguous";
    case proto::Split::rank:
        return "rank";
    }
    return "";
}

} // namespace sdfleet::sdctl
