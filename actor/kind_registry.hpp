// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_kind.hpp"
#include "actor/actor_settings.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace sdfleet::actor {

using Kinds = std::map<std::string, std::unique_ptr<ActorKind>>;

/// The kinds of work that an actor program knows, by the name that jobs use (proto::Parameters::kind_name). A program of
/// one's own fills a registry and calls run_actor_program (actor_program.hpp); the agent runs it with --actor-bin.
class KindRegistry {
public:
    using Factory = std::function<std::unique_ptr<ActorKind>(const ActorSettings&)>;

    /// A later kind of the same name takes the place of the earlier one.
    void add(const std::string& name, Factory factory) { factories_[name] = std::move(factory); }

    /// One object of each kind.
    Kinds make(const ActorSettings& settings) const
    {
        Kinds kinds;
        for (const auto& [name, factory] : factories_) {
            kinds.emplace(name, factory(settings));
        }
        return kinds;
    }

private:
    std::map<std::string, Factory> factories_;
};

} // namespace sdfleet::actor
