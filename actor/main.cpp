// SPDX-License-Identifier: Apache-2.0
#include "actor/actor_program.hpp"
#include "actor/bench_command.hpp"
#include "actor/check_command.hpp"
#include "actor/diffusion_kind.hpp"
#include "actor/echo_kind.hpp"
#include "actor/generate_command.hpp"
#include "actor/tokenize_command.hpp"

int main(int argc, char** argv)
{
    using namespace sdfleet::actor;

    KindRegistry registry;
    registry.add("diffusion", [](const ActorSettings& settings) { return std::make_unique<DiffusionKind>(settings); });
    registry.add("echo", [](const ActorSettings& settings) { return std::make_unique<EchoKind>(settings.max_batch); });
    return run_actor_program(argc, argv, registry,
                             {add_generate_command, add_tokenize_command, add_bench_command, add_check_command});
}
