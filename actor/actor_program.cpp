// SPDX-License-Identifier: Apache-2.0
#include "actor/actor_program.hpp"

#include "actor/serve_command.hpp"
#include "base/die_with_parent.hpp"
#include "base/program_options.hpp"

namespace sdfleet::actor {

int run_actor_program(int argc, char** argv, const KindRegistry& registry,
                      const std::vector<AddCommand>& other_commands)
{
    if (!base::die_with_parent()) {
        return base::to_int(base::ExitCode::failed);
    }
    CLI::App app("Draws pictures on one device");
    base::add_common_options(app, "actor");
    std::function<base::ExitCode()> run;
    add_serve_command(app, registry, run);
    for (const auto& add_command : other_commands) {
        add_command(app, run);
    }
    app.require_subcommand(1);
    return base::parse_and_run(app, argc, argv, [&] { return run(); });
}

} // namespace sdfleet::actor
