// SPDX-License-Identifier: Apache-2.0
// Nodes and models as sdctl shows them; like job_view.hpp separate from the wire.
#pragma once

#include "proto/messages.hpp"
#include "sdctl/output.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::sdctl {

struct ActorView {
    std::string actor; ///< "node-a/0"
    std::string device;
    std::string state;    ///< of the process: starting, ready, restarting, failed
    std::string activity; ///< for people
    std::uint64_t pid = 0;
    std::uint32_t restarts = 0;
    std::string detail;
    std::string job;
    std::uint32_t in_flight = 0;
    std::uint32_t max_batch = 1;
    std::uint64_t items_done = 0;
};

struct DeviceView {
    std::string name;
    std::string description;
    std::uint64_t memory_bytes = 0;
};

struct NodeView {
    std::string node;
    std::string state;
    bool is_draining = false;
    std::string detail; ///< why it is lost
    std::string hostname;
    std::string software;
    std::uint64_t silent_ms = 0;
    std::vector<DeviceView> devices;
    std::vector<std::string> models;
    std::vector<ActorView> actors;
};

struct ModelView {
    std::string model;
    std::vector<std::string> nodes;
    std::vector<std::string> fingerprints;
    std::uint32_t actors_ready = 0;
};

NodeView view_of(const proto::NodeReport& node);
ModelView view_of(const proto::ModelReport& model);

Json to_json(const NodeView& node);
Json to_json(const ModelView& model);

/// Text tables: one row an actor; one row a model.
std::string nodes_text(const std::vector<NodeView>& nodes);
std::string models_text(const std::vector<ModelView>& models);

} // namespace sdfleet::sdctl
