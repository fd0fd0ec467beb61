// SPDX-License-Identifier: Apache-2.0
// The NCCL backend on this machine's GPU, or on two if there are two. Two ranks that share one GPU are told apart for NCCL by
// NCCL_HOSTID and speak over the loopback interface; where NCCL refuses that, one rank is tested.
// First NCCL's client alone, then a ProcessGroup of Backend::nccl.
//   nccl_test PLUGIN          all of it
//   nccl_test facts PLUGIN    only what the machine has
// Prints one JSON document. Exit codes: 0 all is well, 1 a check failed, 77 there is no GPU.
#include "base/die_with_parent.hpp"
#include "collective/nccl_plugin_loader.hpp"
#include "tests/gpu/group_checks.hpp"
#include "tests/gpu/rank_checks.hpp"
#include "tests/gpu/rank_process.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <array>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace gpu_test = sdfleet::gpu_test;
namespace base = sdfleet::base;
namespace collective = sdfleet::collective;
using json = nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr int skipped = 77;

/// A rank's process: nccl_test rank|group-rank PLUGIN RANK WORLD_SIZE DEVICE PORT.
int rank_main(char** arguments)
{
    const auto number = [&](int index) { return std::stoi(arguments[index]); };
    gpu_test::RankPlan plan{arguments[2], static_cast<std::uint32_t>(number(3)), static_cast<std::uint32_t>(number(4)),
                            number(5),    gpu_test::control_fd_of_child,         static_cast<std::uint16_t>(number(6))};
    plan.control_fd = plan.world_size > 1 ? plan.control_fd : -1;
    std::string(arguments[1]) == "rank" ? gpu_test::run_rank(plan) : gpu_test::run_group_rank(plan);
    return 0;
}

std::vector<std::string> environment_of(std::uint32_t rank, bool shares_gpu)
{
    // NCCL's own lines go to stdout unless told otherwise; its monitoring port is one for the machine.
    std::vector<std::string> environment{"NCCL_DEBUG=WARN", "NCCL_DEBUG_FILE=/dev/stderr", "NCCL_RAS_ENABLE=0",
                                         "NCCL_IB_DISABLE=1"};
    if (shares_gpu) {
        environment.insert(environment.end(), {"NCCL_HOSTID=sdfleet-rank-" + std::to_string(rank), "NCCL_P2P_DISABLE=1",
                                               "NCCL_SHM_DISABLE=1", "NCCL_MULTI_RANK_GPU_ENABLE=1"});
    }
    return environment;
}

/// What each rank of this kind reported; a rank that said nothing was killed, by us or by itself.
json run_ranks(const std::string& kind, const std::string& plugin, std::uint32_t ranks, int devices)
{
    std::array<int, 2> sockets{-1, -1};
    if (ranks > 1 && ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        throw std::runtime_error("no socket pair");
    }
    std::array<base::UniqueFd, 2> controls{base::UniqueFd(sockets[0]), base::UniqueFd(sockets[1])};
    const auto port = std::to_string(collective::test::free_port());
    std::vector<std::unique_ptr<gpu_test::RankProcess>> processes;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        const int device = devices >= static_cast<int>(ranks) ? static_cast<int>(rank) : 0;
        processes.push_back(std::make_unique<gpu_test::RankProcess>(
            std::vector<std::string>{kind, plugin, std::to_string(rank), std::to_string(ranks), std::to_string(device),
                                     port},
            environment_of(rank, ranks > 1 && devices < static_cast<int>(ranks)), controls[rank]));
    }
    controls = {};
    const auto deadline = std::chrono::steady_clock::now() + 240s;
    json reports = json::array();
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        auto report = json::parse(processes[rank]->read_output(deadline), nullptr, false);
        if (report.is_discarded()) {
            report = {{"formed", true}, {"why", "rank " + std::to_string(rank) + " ended without a report"}};
        }
        report["rank"] = rank;
        reports.push_back(std::move(report));
    }
    return reports;
}

bool is_formed(const json& reports)
{
    for (const auto& report : reports) {
        if (!report.at("formed")) {
            return false;
        }
    }
    return true;
}

/// All formed, nothing ended early, every check passed, and there were checks.
bool is_well(const json& reports)
{
    for (const auto& report : reports) {
        if (!report.at("formed") || report.contains("why") || report.at("checks").empty()) {
            return false;
        }
        for (const auto& check : report.at("checks")) {
            if (!check.at("ok")) {
                return false;
            }
        }
    }
    return true;
}

/// Fills in `facts` or says why there is nothing to test, with the exit code for it; 0: go on.
int probe(const collective::NcclPlugin& plugin, sdfleet_nccl_facts& facts)
{
    sdfleet_nccl_text why{};
    const auto status = plugin.table().probe(0, &facts, &why);
    if (status == SDFLEET_NCCL_DONE) {
        return 0;
    }
    const bool no_gpu = status == SDFLEET_NCCL_NO_DRIVER || status == SDFLEET_NCCL_NO_DEVICE;
    std::cerr << "nccl_test: " << (no_gpu ? "skipped: " : "") << why.text << "\n";
    return no_gpu ? skipped : 1;
}

json test(const std::string& plugin, int gpus)
{
    json report{{"ranks", 2}, {"gpus", gpus}};
    report["reports"] = run_ranks("rank", plugin, 2, gpus);
    if (!is_formed(report["reports"])) {
        report["two_ranks_refused"] = report["reports"];
        report["ranks"] = 1;
        report["reports"] = run_ranks("rank", plugin, 1, gpus);
    }
    report["group_reports"] = run_ranks("group-rank", plugin, report["ranks"], gpus);
    report["ok"] = is_well(report["reports"]) && is_well(report["group_reports"]);
    return report;
}

int run(const std::string& library, bool only_facts)
{
    const auto plugin = collective::NcclPlugin::load(library);
    if (!plugin) {
        std::cerr << "nccl_test: " << plugin.error().message << "\n";
        return 1;
    }
    sdfleet_nccl_facts facts{};
    if (const int code = probe(*plugin, facts); code != 0) {
        return code;
    }
    const json report = only_facts ? gpu_test::to_json(facts) : test(plugin->path(), facts.device_count);
    std::cout << report.dump(2) << std::endl;
    return only_facts || report.at("ok") ? 0 : 1;
}

} // namespace

int main(int argc, char** argv)
{
    if (!base::die_with_parent()) {
        return 1;
    }
    try {
        if (argc == 7 && std::string(argv[1]).ends_with("rank")) {
            return rank_main(argv);
        }
        const bool only_facts = argc == 3 && std::string(argv[1]) == "facts";
        if (argc != 2 && !only_facts) {
            std::cerr << "usage: nccl_test [facts] PLUGIN\n";
            return 2;
        }
        return run(argv[argc - 1], only_facts);
    } catch (const std::exception& error) {
        std::cerr << "nccl_test: " << error.what() << "\n";
        return 1;
    }
}
