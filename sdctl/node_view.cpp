// SPDX-License-Identifier: Apache-2.0
#include "sdctl/node_view.hpp"

#include "sdctl/enum_text.hpp"
#include "sdctl/progress_text.hpp"
#include "sdctl/text_table.hpp"

namespace sdfleet::sdctl {

namespace {

std::string join(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

ActorView view_of(const proto::ActorReport& actor)
{
    return {to_string(proto::ActorId{actor.node_id, actor.state.slot}),
            actor.state.device,
            to_text(actor.state.phase),
            activity_text(actor),
            actor.state.pid,
            actor.state.restarts,
            actor.state.detail,
            actor.job_id.value,
            actor.in_flight,
            actor.state.max_batch,
            actor.items_done};
}

Json to_json(const ActorView& actor)
{
    return {{"actor", actor.actor},
            {"device", actor.device},
            {"state", actor.state},
            {"activity", actor.activity},
            {"pid", actor.pid},
            {"restarts", actor.restarts},
            {"detail", actor.detail},
            {"job", actor.job},
            {"in_flight", actor.in_flight},
            {"max_batch", actor.max_batch},
            {"items_done", actor.items_done}};
}

std::string node_state_text(const NodeView& node)
{
    if (node.state == to_text(proto::NodeState::alive)) {
        return node.is_draining ? "draining" : node.state;
    }
    return node.state + " for " + clock_text(std::chrono::seconds(node.silent_ms / 1000)) +
           (node.detail.empty() ? "" : ": " + node.detail) + (node.is_draining ? ", draining" : "");
}

} // namespace

NodeView view_of(const proto::NodeReport& node)
{
    NodeView view;
    view.node = node.node_id.value;
    view.state = to_text(node.state);
    view.is_draining = node.is_draining;
    view.detail = node.detail;
    view.hostname = node.hostname;
    view.software = node.software;
    view.silent_ms = node.silent_ms;
    for (const auto& device : node.devices) {
        view.devices.push_back({device.name, device.description, device.memory_bytes});
    }
    for (const auto& model : node.models) {
        view.models.push_back(model.name);
    }
    for (const auto& actor : node.actors) {
        view.actors.push_back(view_of(actor));
    }
    return view;
}

ModelView view_of(const proto::ModelReport& model)
{
    ModelView view{model.name, {}, model.fingerprints, model.actors_ready};
    for (const auto& node : model.nodes) {
        view.nodes.push_back(node.value);
    }
    return view;
}

Json to_json(const NodeView& node)
{
    Json devices = Json::array();
    for (const auto& device : node.devices) {
        devices.push_back(
            {{"name", device.name}, {"description", device.description}, {"memory_bytes", device.memory_bytes}});
    }
    Json actors = Json::array();
    for (const auto& actor : node.actors) {
        actors.push_back(to_json(actor));
    }
    return {{"node", node.node},
            {"state", node.state},
            {"is_draining", node.is_draining},
            {"detail", node.detail},
            {"hostname", node.hostname},
            {"software", node.software},
            {"silent_ms", node.silent_ms},
            {"devices", devices},
            {"models", node.models},
            {"actors", actors}};
}

Json to_json(const ModelView& model)
{
    return {{"model", model.model},
            {"nodes", model.nodes},
            {"fingerprints", model.fingerprints},
            {"actors_ready", model.actors_ready}};
}

std::string nodes_text(const std::vector<NodeView>& nodes)
{
    TextTable table({"NODE", "STATE", "ACTOR", "DEVICE", "ACTIVITY", "DONE", "RESTARTS", "PID", "MODELS"});
    for (const auto& node : nodes) {
        if (node.actors.empty()) {
            table.add({node.node, node_state_text(node), "", "", "", "", "", "", join(node.models)});
        }
        for (const auto& actor : node.actors) {
            table.add({node.node, node_state_text(node), actor.actor, actor.device, actor.activity,
                       std::to_string(actor.items_done), std::to_string(actor.restarts), std::to_string(actor.pid),
                       join(node.models)});
        }
    }
    return table.to_text();
}

std::string models_text(const std::vector<ModelView>& models)
{
    TextTable table({"MODEL", "ACTORS READY", "NODES", ""});
    for (const auto& model : models) {
        table.add({model.model, std::to_string(model.actors_ready), join(model.nodes),
                   model.fingerprints.size() > 1 ? "warning: the nodes' folders differ" : ""});
    }
    return table.to_text();
}

} // namespace sdfleet::sdctl
