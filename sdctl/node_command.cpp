// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/node_view.hpp"

#include <memory>

namespace sdfleet::sdctl {

namespace {

struct NodeOptions {
    std::string node;
    bool is_undo = false;
};

base::Result<base::ExitCode> show(const Program& program, const base::Result<proto::NodeChanged>& changed)
{
    if (!changed) {
        return tl::unexpected(changed.error());
    }
    const auto node = view_of(changed->node);
    if (program.json) {
        print_document(to_json(node));
    } else {
        print_text(nodes_text({node}));
    }
    return base::ExitCode::ok;
}

base::Result<base::ExitCode> drain(const Program& program, const NodeOptions& options)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    return show(program, client->drain_node({options.node}, !options.is_undo));
}

base::Result<base::ExitCode> fence(const Program& program, const NodeOptions& options)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    return show(program, client->fence_node({options.node}));
}

} // namespace

void add_node_command(CLI::App& app, Program& program)
{
    auto* node = app.add_subcommand("node", "Take a machine out of service, or declare it dead");
    node->require_subcommand(1);
    node->fallthrough();
    node->footer("Examples:\n"
                 "  sdctl node drain node-a           finish what runs, take nothing new\n"
                 "  sdctl node drain node-a --undo\n"
                 "  sdctl node fence node-a           its work goes to others at once");

    const auto options = std::make_shared<NodeOptions>();
    const auto with_node = [&options](CLI::App* command) {
        command->add_option("node", options->node, "As sdctl nodes shows it")->required()->type_name("NODE");
        return command;
    };
    with_node(
        add_command(*node, program,
                    {"drain", "The node finishes what it has and gets nothing new, also after restarts, until --undo",
                     "  sdctl node drain node-a\n"
                     "  sdctl node drain node-a --undo\n"},
                    [options, &program] { return drain(program, *options); }))
        ->add_flag("--undo", options->is_undo, "Give it work again");
    with_node(add_command(*node, program,
                          {"fence",
                           "Declare a machine dead: its work goes to others at once, and its agent, should it still "
                           "run, is told to stop; started again it may rejoin",
                           "  sdctl node fence node-a\n"},
                          [options, &program] { return fence(program, *options); }));
}

} // namespace sdfleet::sdctl
