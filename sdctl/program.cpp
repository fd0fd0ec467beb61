// SPDX-License-Identifier: Apache-2.0
#include "sdctl/program.hpp"

#include "base/program_options.hpp"
#include "net/dial_key.hpp"
#include "sdctl/interrupt.hpp"

#include <utility>

namespace sdfleet::sdctl {

CLI::App* add_command(CLI::App& app, Program& program, const CommandText& text,
                      std::function<base::Result<base::ExitCode>()> body)
{
    auto* command = app.add_subcommand(text.name, text.description);
    command->fallthrough(); // --json and --coordinator may also follow the command's name
    command->footer(std::string("Examples:\n") + text.examples);
    command->callback([&program, body = std::move(body)] {
        program.chosen = [body] {
            const auto result = body();
            return result ? *result : base::report("sdctl", result.error());
        };
    });
    return command;
}

base::Result<client::Client> connect(const Program& program)
{
    client::ClientOptions options;
    options.endpoint = program.coordinator;
    options.is_interrupted = is_interrupted;
    auto key = net::find_dial_key(program.coordinator, program.key_file);
    if (!key) {
        return tl::unexpected(std::move(key.error()));
    }
    options.key = std::move(*key);
    return client::Client::connect(std::move(options));
}

} // namespace sdfleet::sdctl
