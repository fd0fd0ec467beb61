// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/chaos.hpp"

namespace sdfleet::sim {

/// One simulated fleet, from its first to its last moment.
class World {
public:
    explicit World(Environment& environment);

    /// Throws Violation.
    void run();

private:
    void bring_up_again(AgentHost& agent);
    void end_faults();
    bool is_drained() const;
    void check_idle();

    Environment& environment_;
    Disk disk_;
    Checker checker_;
    CoordinatorHost coordinator_;
    std::vector<std::unique_ptr<AgentHost>> agents_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<std::unique_ptr<ProgramClient>> launchers_;
    Chaos chaos_;
    std::uint64_t last_incarnation_ = 0;
};

} // namespace sdfleet::sim
