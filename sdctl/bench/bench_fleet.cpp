// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/bench_fleet.hpp"

#include "net/dial_key.hpp"
#include "sdctl/interrupt.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace sdfleet::sdctl::bench {

namespace {

std::uint32_t count_ready(const proto::NodeList& list)
{
    std::uint32_t ready = 0;
    for (const auto& node : list.nodes) {
        ready += static_cast<std::uint32_t>(std::ranges::count_if(node.actors, [](const proto::ActorReport& actor) {
            return actor.state.phase == proto::ActorPhase::ready;
        }));
    }
    return ready;
}

} // namespace

base::Result<BenchFleet> BenchFleet::open(const Program& program, int local_actors,
                                          const std::filesystem::path& actor_program)
{
    BenchFleet fleet;
    fleet.options_.is_interrupted = is_interrupted;
    if (local_actors > 0) {
        auto local =
            LocalFleet::start({local_actors, std::nullopt, spdlog::get_level() <= spdlog::level::debug, actor_program});
        if (!local) {
            return tl::unexpected(std::move(local.error()));
        }
        fleet.local_ = std::move(*local);
        auto client = fleet.local_->connect();
        auto ready = client ? fleet.local_->wait_until_ready(*client, local_actors)
                            : base::Result<void>(tl::unexpected(client.error()));
        if (!ready) {
            return tl::unexpected(std::move(ready.error()));
        }
        fleet.options_.endpoint = fleet.local_->endpoint();
        fleet.ready_actors_ = static_cast<std::uint32_t>(local_actors);
        return fleet;
    }
    fleet.options_.endpoint = program.coordinator;
    auto key = net::find_dial_key(program.coordinator, program.key_file);
    if (!key) {
        return tl::unexpected(std::move(key.error()));
    }
    fleet.options_.key = std::move(*key);
    auto client = fleet.connect();
    const auto nodes =
        client ? client->list_nodes({false}) : base::Result<proto::NodeList>(tl::unexpected(client.error()));
    if (!nodes) {
        return tl::unexpected(nodes.error());
    }
    fleet.ready_actors_ = count_ready(*nodes);
    if (fleet.ready_actors_ == 0) {
        return base::fail(base::ExitCode::failed, "no actor of the fleet at " + program.coordinator +
                                                      " is ready; start an agent, or measure a fleet of this "
                                                      "command's own with --local N");
    }
    return fleet;
}

} // namespace sdfleet::sdctl::bench
