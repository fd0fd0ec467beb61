// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scenario.hpp"

#include "tests/sim/program_text.hpp"

#include <algorithm>

namespace sdfleet::sim {

namespace {

constexpr std::uint32_t actors_in_all_nodes = 1; ///< ranks below this exist whatever the fleet

proto::JobSpec make_spec(Random& random, const std::string& model)
{
    proto::JobSpec spec;
    spec.model = model;
    if (model.empty()) {
        spec.parameters.kind = proto::EchoParameters{static_cast<std::uint32_t>(random.between(0, 800)), 0};
    } else {
        proto::DiffusionParameters parameters;
        parameters.num_inference_steps = static_cast<std::uint32_t>(random.between(1, 8));
        spec.parameters.kind = parameters;
    }
    spec.priority = static_cast<std::int32_t>(random.between(-1, 1));
    spec.split =
        random.chance(700) ? proto::Split::pull : (random.chance(500) ? proto::Split::contiguous : proto::Split::rank);
    const auto items = random.between(1, 10);
    const std::uint32_t poison = random.chance(100) ? 150 : 0;
    for (std::int64_t i = 0; i < items; ++i) {
        const char* prompt = random.chance(poison) ? poison_prompt : (random.chance(10) ? impossible_prompt : "a cat");
        spec.items.push_back({prompt, random.below(1'000), std::nullopt});
        if (spec.split == proto::Split::rank) {
            spec.items.back().rank = static_cast<std::uint32_t>(random.below(actors_in_all_nodes));
        }
    }
    return spec;
}

void choose_times(Scenario& scenario, Random& random)
{
    scenario.faults_end = random.between(15'000, 45'000);
    scenario.drained_by = scenario.faults_end + 900'000;
    scenario.options.progress_timeout = {20'000};
    scenario.options.unservable_timeout = {40'000};
    scenario.options.accept_timeout = {6'000};
    scenario.options.brake_timeout = {random.between(2'000, 20'000)};
    scenario.agent_limits.actor_start_timeout = agent::Milliseconds(8'000);
    scenario.agent_limits.cancel_timeout = agent::Milliseconds(4'000);
}

/// Programs that the fleet can hold, also when one of its nodes is turned away.
std::vector<ProgramPlan> make_programs(const Scenario& scenario, Random random)
{
    std::vector<ProgramPlan> programs;
    if (random.chance(500)) {
        return programs;
    }
    std::size_t devices = 0;
    std::size_t fewest = scenario.nodes.front().actors;
    for (const auto& node : scenario.nodes) {
        devices += node.actors;
        fewest = std::min(fewest, node.actors);
    }
    const bool are_all_there = scenario.limits.nodes >= scenario.nodes.size();
    for (auto left = random.between(1, 3); left > 0; --left) {
        ProgramPlan plan;
        plan.id = {"program-" + std::to_string(left)};
        const auto ranks = static_cast<std::int64_t>(are_all_there ? devices : fewest);
        plan.spec.ranks = static_cast<std::uint32_t>(random.between(1, ranks));
        if (are_all_there && random.chance(300)) {
            plan.spec.ranks =
                static_cast<std::uint32_t>(random.between(1, static_cast<std::int64_t>(scenario.nodes.size())));
            plan.spec.nodes = plan.spec.ranks;
        }
        RankPlan rank;
        rank.run_ms = random.between(0, 6'000);
        rank.words = static_cast<std::uint32_t>(random.chance(300) ? random.between(100, 400) : random.between(0, 20));
        rank.failing_rank = static_cast<std::uint32_t>(random.below(plan.spec.ranks));
        rank.failing_epochs = static_cast<std::uint32_t>(random.chance(300) ? random.between(1, 3) : 0);
        rank.is_deaf = random.chance(200);
        plan.spec.command = command_of(rank);
        plan.spec.max_restarts = static_cast<std::uint32_t>(random.chance(500) ? random.between(1, 5) : 0);
        plan.spec.stop_grace_ms = static_cast<std::uint32_t>(random.between(0, 3'000));
        plan.launch_at = random.between(2'000, 25'000);
        if (random.chance(200)) {
            plan.stop_at = plan.launch_at + random.between(100, 10'000);
        } else if (random.chance(150)) {
            plan.silent_at = plan.launch_at + random.between(100, 10'000);
        }
        programs.push_back(std::move(plan));
    }
    return programs;
}

} // namespace

Scenario make_scenario(Random random)
{
    Scenario scenario;
    choose_times(scenario, random);
    const auto nodes = random.chance(200) ? random.between(5, 7) : random.between(1, 4);
    for (std::int64_t i = 0; i < nodes; ++i) {
        NodePlan node{std::string("node-") + static_cast<char>('a' + i), 1 + random.below(3), {}, 1, 1};
        for (const char* model : {"m", "n"}) {
            if (i == 0 || random.chance(600)) { // the first has all, so that everything can be done
                node.models.emplace_back(model);
            }
        }
        node.slowness = random.chance(150) ? 6 : 1;
        node.max_batch = random.chance(500) ? 1 : static_cast<std::size_t>(random.between(2, 5));
        scenario.nodes.push_back(std::move(node));
    }
    const auto clients = random.between(1, 3);
    std::uint64_t number = 0;
    for (std::int64_t client = 0; client < clients; ++client) {
        auto& jobs = scenario.clients.emplace_back();
        for (auto left = random.between(1, 4); left > 0; --left) {
            const std::string model = random.chance(200) ? "" : (random.chance(700) ? "m" : "n");
            JobPlan job{{"job-" + std::to_string(number++)}, make_spec(random, model), random.between(0, 20'000), {}};
            if (random.chance(200)) {
                job.cancel_after = random.between(0, 5'000);
            }
            jobs.push_back(std::move(job));
        }
    }
    if (random.chance(150)) {
        scenario.limits.jobs = 2 + random.below(3); // old jobs leave the books
    }
    const bool are_nodes_alike =
        std::ranges::all_of(scenario.nodes, [](const NodePlan& node) { return node.models.size() == 2; });
    if (random.chance(500)) {
        scenario.options.small_artifact_bytes = 0; // pictures go to files of their own
    }
    if (scenario.nodes.size() > 1 && are_nodes_alike && random.chance(300)) {
        scenario.limits.nodes = scenario.nodes.size() - 1; // one of them is refused while the others are there
    }
    scenario.programs = make_programs(scenario, random.fork());
    return scenario;
}

} // namespace sdfleet::sim
