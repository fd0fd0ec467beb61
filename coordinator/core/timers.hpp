// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/milliseconds.hpp"
#include "proto/ids.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace sdfleet::coordinator {

struct NodeTimer { ///< look at the node's silence
    proto::NodeId node_id;
    auto operator<=>(const NodeTimer&) const = default;
};
struct AttemptTimer { ///< the attempt should have moved on by now
    proto::AttemptId attempt_id;
    auto operator<=>(const AttemptTimer&) const = default;
};
struct WatchTimer { ///< answer this watcher whatever happened
    std::uint64_t watcher = 0;
    auto operator<=>(const WatchTimer&) const = default;
};
struct ForgetTimer { ///< try to remove from the disk again
    auto operator<=>(const ForgetTimer&) const = default;
};
struct SettlementTimer { ///< try to write this outcome again
    std::uint64_t settlement = 0;
    auto operator<=>(const SettlementTimer&) const = default;
};
struct UnservableTimer { ///< nobody came back for this job's items
    proto::JobId job_id;
    auto operator<=>(const UnservableTimer&) const = default;
};
struct ActorTimer { ///< the actor's pause is over
    proto::ActorId actor;
    auto operator<=>(const ActorTimer&) const = default;
};
struct PinTimer { ///< the grace for actors to come back after a restart is over
    auto operator<=>(const PinTimer&) const = default;
};
struct SpeculationTimer { ///< idle actors look for slow items
    auto operator<=>(const SpeculationTimer&) const = default;
};
struct PeerTimer { ///< forget connections that were silent for long
    auto operator<=>(const PeerTimer&) const = default;
};

using TimerKey = std::variant<NodeTimer, AttemptTimer, WatchTimer, SettlementTimer, ForgetTimer, UnservableTimer,
                              ActorTimer, PinTimer, SpeculationTimer, PeerTimer>;

/// At most one deadline for each key; all operations take logarithmic time.
class Timers {
public:
    /// Replaces the key's deadline.
    void set(const TimerKey& key, Milliseconds at)
    {
        cancel(key);
        at_.emplace(key, at);
        order_.emplace(at, key);
    }

    /// Leaves an earlier deadline as it is: the timer's owner, called too early, sets it again. Cheaper for deadlines that
    /// keep moving away.
    void set_no_later(const TimerKey& key, Milliseconds at)
    {
        if (const auto found = at_.find(key); found == at_.end() || found->second > at) {
            set(key, at);
        }
    }

    void cancel(const TimerKey& key)
    {
        if (const auto found = at_.find(key); found != at_.end()) {
            order_.erase({found->second, key});
            at_.erase(found);
        }
    }

    std::optional<Milliseconds> next() const
    {
        return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
    }

    /// Removes and returns the earliest deadline that is not after `now`.
    std::optional<TimerKey> take_due(Milliseconds now)
    {
        if (order_.empty() || order_.begin()->first > now) {
            return std::nullopt;
        }
        TimerKey key = order_.begin()->second;
        cancel(key);
        return key;
    }

private:
    std::map<TimerKey, Milliseconds> at_;
    std::set<std::pair<Milliseconds, TimerKey>> order_;
};

} // namespace sdfleet::coordinator
