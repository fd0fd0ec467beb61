// SPDX-License-Identifier: Apache-2.0
#include "sdctl/commands.hpp"
#include "sdctl/node_view.hpp"

namespace sdfleet::sdctl {

namespace {

base::Result<base::ExitCode> list_models(const Program& program)
{
    auto client = connect(program);
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    const auto list = client->list_models({});
    if (!list) {
        return tl::unexpected(list.error());
    }
    std::vector<ModelView> models;
    for (const auto& model : list->models) {
        models.push_back(view_of(model));
    }
    if (!program.json) {
        print_text(models_text(models));
        return base::ExitCode::ok;
    }
    Json document{{"models", Json::array()}};
    for (const auto& model : models) {
        document["models"].push_back(to_json(model));
    }
    print_document(document);
    return base::ExitCode::ok;
}

} // namespace

void add_models_command(CLI::App& app, Program& program)
{
    add_command(app, program,
                {"models", "Show the models that the fleet serves",
                 "  sdctl models\n"
                 "  sdctl models --json | jq -r '.models[].model'\n"},
                [&program] { return list_models(program); });
}

} // namespace sdfleet::sdctl
