// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/agent_host.hpp"
#include "tests/sim/client.hpp"
#include "tests/sim/program_client.hpp"

#include <memory>
#include <vector>

namespace sdfleet::sim {

/// Breaks what is bigger than one message or one step: networks, machines, the disk.
class Chaos {
public:
    Chaos(Environment& environment, CoordinatorHost& coordinator, Disk& disk,
          std::vector<std::unique_ptr<AgentHost>>& agents, std::vector<std::unique_ptr<Client>>& clients,
          std::vector<std::unique_ptr<ProgramClient>>& launchers)
        : environment_(environment), coordinator_(coordinator), disk_(disk), agents_(agents), clients_(clients),
          launchers_(launchers)
    {
    }

    void start() { strike(); }

private:
    void strike();
    void strike_network();
    void strike_machines();
    void start_clone();
    void send_as_stranger();
    Link& any_link();
    AgentHost& any_agent();
    Time moment_within(Time from, Time to) { return environment_.now() + environment_.random.between(from, to); }

    Environment& environment_;
    CoordinatorHost& coordinator_;
    Disk& disk_;
    std::vector<std::unique_ptr<AgentHost>>& agents_;
    std::vector<std::unique_ptr<Client>>& clients_;
    std::vector<std::unique_ptr<ProgramClient>>& launchers_;
};

} // namespace sdfleet::sim
