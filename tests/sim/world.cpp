// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.hpp"

#include "tests/sim/violation.hpp"

#include <algorithm>

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t incarnation_step = 10; ///< leaves room for clones between two starts
constexpr Time settling_ms = 15'000;

} // namespace

World::World(Environment& environment)
    : environment_(environment), disk_(environment, checker_), checker_(environment, disk_.state()),
      coordinator_(environment, disk_, checker_),
      chaos_(environment, coordinator_, disk_, agents_, clients_, launchers_)
{
    for (const auto& plan : environment.scenario.nodes) {
        agents_.push_back(std::make_unique<AgentHost>(environment, coordinator_, plan, plan.name));
        auto& agent = *agents_.back();
        agent.on_end([this, &agent] { bring_up_again(agent); });
    }
    for (std::size_t i = 0; i < environment.scenario.clients.size(); ++i) {
        clients_.push_back(std::make_unique<Client>(environment, coordinator_, checker_, "client-" + std::to_string(i),
                                                    environment.scenario.clients[i]));
    }
    for (const auto& plan : environment.scenario.programs) {
        launchers_.push_back(std::make_unique<ProgramClient>(environment, coordinator_, plan));
    }
}

void World::bring_up_again(AgentHost& agent)
{
    environment_.agenda.in(environment_.random.between(100, 6'000), [this, &agent] {
        if (!agent.is_up()) {
            agent.start(last_incarnation_ += incarnation_step);
        }
    });
}

/// From here on everything works, and has to come to its end.
void World::end_faults()
{
    environment_.trace.note(environment_.now(), "world", 0, [] { return std::string("THE FAULTS END"); });
    environment_.faults.end();
    disk_.fill_up(0);
    for (const auto& client : clients_) {
        client->link().heal();
    }
    for (const auto& launcher : launchers_) {
        launcher->link().heal();
    }
    for (std::size_t i = 0; i < agents_.size(); ++i) {
        agents_[i]->link().heal();
        if (i >= environment_.scenario.nodes.size()) {
            agents_[i]->crash(); // a clone
        }
    }
}

bool World::is_drained() const
{
    return std::ranges::all_of(clients_, [](const auto& client) { return client->is_done(); }) &&
           std::ranges::all_of(launchers_, [](const auto& launcher) { return launcher->is_done(); }) &&
           std::ranges::none_of(agents_, [](const auto& agent) { return agent->is_busy(); });
}

void World::run()
{
    coordinator_.start();
    for (const auto& agent : agents_) {
        agent->start(last_incarnation_ += incarnation_step);
    }
    for (const auto& client : clients_) {
        client->start();
    }
    for (const auto& launcher : launchers_) {
        launcher->start();
    }
    chaos_.start();
    environment_.agenda.at(environment_.scenario.faults_end, [this] { end_faults(); });
    std::optional<Time> drained_at;
    while (environment_.agenda.run_next()) {
        const Time now = environment_.now();
        if (!environment_.faults.is_over()) {
            continue;
        }
        require(drained_at || now < environment_.scenario.drained_by, "I8", [&] {
            std::string waiting;
            for (const auto& client : clients_) {
                waiting += client->describe_waiting();
            }
            for (const auto& launcher : launchers_) {
                waiting += launcher->describe_waiting();
            }
            for (const auto& agent : agents_) {
                waiting += agent->is_busy() ? " " + agent->name() + " is busy" : "";
            }
            return "the faults are over, but this is not:" + waiting;
        });
        drained_at = drained_at ? drained_at : (is_drained() ? std::optional(now) : std::nullopt);
        if (drained_at && now >= *drained_at + settling_ms) {
            break;
        }
    }
    check_idle();
    checker_.ledger.check_end();
    environment_.accepted_results = checker_.ledger.accepted_results();
}

/// What nobody works at, the coordinator does not think somebody works at.
void World::check_idle()
{
    for (const auto& agent : agents_) {
        require(!agent->is_busy(), "I8", [&] { return agent->name() + " is still busy"; });
    }
    const auto& limits = environment_.scenario.limits;
    const auto nodes = std::get<proto::NodeList>(coordinator_.ask(proto::ListNodes{})).nodes;
    require(nodes.size() <= limits.nodes, "I10", [] { return std::string("there are more nodes than may be"); });
    for (const auto& node : nodes) {
        for (const auto& actor : node.actors) {
            require(actor.in_flight == 0, "I8", [&] {
                return "the coordinator believes that " + node.node_id.value + "/" +
                       std::to_string(actor.state.slot.value) + " works on " + actor.job_id.value;
            });
        }
    }
    const auto jobs = std::get<proto::JobList>(coordinator_.ask(proto::ListJobs{}));
    require(jobs.total <= limits.jobs, "I10", [] { return std::string("there are more jobs than may be"); });
    const auto fault = coordinator_.core().find_inconsistency();
    require(!fault, "tables", [&] { return *fault; });
}

} // namespace sdfleet::sim
