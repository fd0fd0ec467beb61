// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::agent {

/// The whole main() of the agent; to be called first thing, while there is one thread. Returns the exit code.
int run_agent_program(int argc, char** argv);

} // namespace sdfleet::agent
