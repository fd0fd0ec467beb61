// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/packet.hpp"
#include "tests/sim/environment.hpp"

#include <array>
#include <functional>
#include <string>

namespace sdfleet::sim {

enum class Direction : std::uint8_t { to_coordinator, from_coordinator };

/// The network between one machine and the coordinator: it keeps the order of each connection unless told otherwise, and
/// may lose, repeat, delay and overtake.
class Link {
public:
    Link(Environment& environment, std::string name) : environment_(environment), name_(std::move(name)) {}

    /// Calls `deliver` as often as the message arrives: not at all, once or twice.
    void send(Direction direction, proto::Channel channel, const proto::Message& message,
              std::function<void()> deliver);

    /// Nothing passes until then. A cut that stalls loses nothing: TCP sends again when the network is back in time.
    void cut(Direction direction, Time until, bool stalls);
    void heal();

private:
    struct Way {
        Time cut_until = 0;
        bool stalls = false;
        std::array<Time, 2> last_arrival{}; ///< by channel
    };

    Environment& environment_;
    std::string name_;
    std::array<Way, 2> ways_;
};

} // namespace sdfleet::sim
