// SPDX-License-Identifier: Apache-2.0
#include "actor/actor_program.hpp"
#include "actor/echo_kind.hpp"

int main(int argc, char** argv)
{
    using namespace sdfleet::actor;

    KindRegistry registry;
    registry.add("echo", [](const ActorSettings& settings) { return std::make_unique<EchoKind>(settings.max_batch); });
    return run_actor_program(argc, argv, registry);
}
