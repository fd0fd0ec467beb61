// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_program.hpp"

int main(int argc, char** argv)
{
    return sdfleet::agent::run_agent_program(argc, argv);
}
