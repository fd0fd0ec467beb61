// SPDX-License-Identifier: Apache-2.0
#include "net/key_files.hpp"
#include "sdctl/commands.hpp"
#include "sdctl/output.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace sdfleet::sdctl {

namespace {

struct KeysOptions {
    std::filesystem::path data_dir;
    std::string name;
    std::filesystem::path key_file;
    bool may_launch = false;
};

base::Result<base::ExitCode> issue(const Program& program, const KeysOptions& options)
{
    if (auto issued = net::issue_member_key(options.data_dir, options.name, options.key_file, options.may_launch);
        !issued) {
        return tl::unexpected(std::move(issued.error()));
    }
    const auto path = std::filesystem::absolute(options.key_file).string();
    if (program.json) {
        print_document({{"name", options.name}, {"key_file", path}});
    } else {
        print_text(path + "\n");
        narrate(options.name + " may connect with this file: agent --key-file FILE, sdctl --key-file FILE");
    }
    return base::ExitCode::ok;
}

base::Result<base::ExitCode> list(const Program& program, const KeysOptions& options)
{
    const auto names = net::list_members(options.data_dir);
    if (!names) {
        return tl::unexpected(names.error());
    }
    if (program.json) {
        print_document({{"names", *names}});
        return base::ExitCode::ok;
    }
    if (names->empty()) {
        narrate("no key was issued in " + options.data_dir.string());
    }
    for (const auto& name : *names) {
        print_text(name + "\n");
    }
    return base::ExitCode::ok;
}

base::Result<base::ExitCode> revoke(const Program& program, const KeysOptions& options)
{
    if (auto revoked = net::revoke_member(options.data_dir, options.name); !revoked) {
        return tl::unexpected(std::move(revoked.error()));
    }
    if (program.json) {
        print_document({{"name", options.name}, {"revoked", true}});
    } else {
        narrate("the key of " + options.name + " is refused from the next connection on");
    }
    return base::ExitCode::ok;
}

} // namespace

void add_keys_command(CLI::App& app, Program& program)
{
    auto* keys = app.add_subcommand("keys", "Say who may connect to a coordinator that listens beyond its machine");
    keys->require_subcommand(1);
    keys->fallthrough();
    keys->footer("Examples:\n"
                 "  sdctl keys issue node-a --data-dir /var/lib/sdfleet --out node-a.key\n"
                 "  sdctl keys list --data-dir /var/lib/sdfleet\n"
                 "  sdctl keys revoke node-a --data-dir /var/lib/sdfleet\n"
                 "They run where the coordinator's data folder is; a running coordinator follows within seconds.");

    const auto options = std::make_shared<KeysOptions>();
    const auto with_data_dir = [&options](CLI::App* command) {
        command->add_option("--data-dir", options->data_dir, "The coordinator's data folder")->required();
        return command;
    };
    const auto with_name = [&options](CLI::App* command) {
        command->add_option("name", options->name, "Of a machine or a person")->required()->type_name("NAME");
        return command;
    };
    auto* issue_command = with_name(
        with_data_dir(add_command(*keys, program,
                                  {"issue", "Make a key file for one agent or one person",
                                   "  sdctl keys issue node-a --data-dir /var/lib/sdfleet --out node-a.key\n"},
                                  [options, &program] { return issue(program, *options); })));
    issue_command->add_option("--out", options->key_file, "The key file to make; it must not exist yet")->required();
    issue_command->add_flag("--may-launch", options->may_launch,
                            "Whoever has the key may run programs on the nodes (sdctl launch)");
    with_data_dir(add_command(*keys, program,
                              {"list", "Show whose keys were issued", "  sdctl keys list --data-dir DIR\n"},
                              [options, &program] { return list(program, *options); }));
    with_name(with_data_dir(add_command(
        *keys, program, {"revoke", "Take a key back", "  sdctl keys revoke node-a --data-dir /var/lib/sdfleet\n"},
        [options, &program] { return revoke(program, *options); })));
}

} // namespace sdfleet::sdctl
