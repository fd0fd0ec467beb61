// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/node_view.hpp"

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> list_nodes(const Program& program)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto list = client->list_nodes({});
    if (!list) {
        return tl::unexpected(list.error());
    }
    std::vector<NodeView> nodes;
    for (const auto& node : list->nodes) {
        nodes.push_back(view_of(node));
    }
    if (!program.json) {
        print_text(nodes_text(nodes));
        return base::ExitCode::ok;
    }
    Json document{{"nodes", Json::array()}};
    for (const auto& node : nodes) {
        document["nodes"].push_back(to_json(node));
    }
    print_document(document);
    return base::ExitCode::ok;
}

} // namespace

void add_nodes_command(CLI::App& app, Program& program)
{
    add_command(app, program,
                {"nodes", "Show the machines of the fleet, their actors and what these do",
                 "  sdctl nodes\n"
                 "  sdctl --coordinator tcp://192.0.2.7:7420 nodes --json\n"},
                [&program] { return list_nodes(program); });
}

} // namespace sdfleet::sdctl
