// SPDX-License-Identifier: Apache-2.0
// Runs many simulated fleets, each from its seed, and tells the first one that broke a promise.
#include "tests/sim/run.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>

namespace {

using namespace sdfleet::sim;

constexpr std::size_t all_lines = 1'000'000;

int run_one(std::uint64_t seed, bool wants_trace)
{
    const auto outcome = run_seed(seed, {}, Mutation::none, wants_trace ? all_lines : 0);
    for (const auto& line : outcome.trace) {
        std::printf("%s\n", line.c_str());
    }
    if (outcome.violation) {
        std::printf("%s", explain(seed, outcome).c_str());
        return EXIT_FAILURE;
    }
    std::printf("seed %llu: %llu events, %llu faults, %llu accepted results, fingerprint %016llx\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(outcome.events),
                static_cast<unsigned long long>(outcome.faults),
                static_cast<unsigned long long>(outcome.accepted_results),
                static_cast<unsigned long long>(outcome.fingerprint));
    return EXIT_SUCCESS;
}

int run_many(std::uint64_t first, std::uint64_t count, bool keeps_going)
{
    const auto start = std::chrono::steady_clock::now();
    Outcome sum;
    std::uint64_t failures = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const auto outcome = run_seed(seed);
        sum.events += outcome.events;
        sum.faults += outcome.faults;
        sum.accepted_results += outcome.accepted_results;
        for (std::size_t kind = 0; kind < fault_count; ++kind) {
            sum.faults_by_kind.at(kind) += outcome.faults_by_kind.at(kind);
        }
        if (outcome.violation) {
            ++failures;
            std::printf("%s\n", keeps_going ? ("seed " + std::to_string(seed) + ": " + *outcome.violation).c_str()
                                            : explain(seed, outcome).c_str());
            std::fflush(stdout);
            if (!keeps_going) {
                return EXIT_FAILURE;
            }
        }
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf(
        "%llu seeds from %llu in %.1f s (%.1f/s), %llu failed; %llu events, %llu accepted results, %llu faults:",
        static_cast<unsigned long long>(count), static_cast<unsigned long long>(first), seconds,
        static_cast<double>(count) / seconds, static_cast<unsigned long long>(failures),
        static_cast<unsigned long long>(sum.events), static_cast<unsigned long long>(sum.accepted_results),
        static_cast<unsigned long long>(sum.faults));
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        std::printf(" %s %llu", std::string(name_of(static_cast<Fault>(kind))).c_str(),
                    static_cast<unsigned long long>(sum.faults_by_kind.at(kind)));
    }
    std::printf("\n");
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{
        "Simulates fleets of the real coordinator and agent cores, each from one seed, and checks their promises"};
    std::uint64_t seeds = 100;
    std::uint64_t first = 1;
    std::uint64_t seed = 0;
    bool wants_trace = false;
    bool keeps_going = false;
    app.add_option("--seeds", seeds, "How many")->capture_default_str();
    app.add_option("--first-seed", first, "From this one on")->capture_default_str();
    auto* one = app.add_option("--seed", seed, "Only this one");
    app.add_flag("--trace", wants_trace, "Print all that happened")->needs(one);
    app.add_flag("--keep-going", keeps_going, "Name all seeds that fail, instead of explaining the first one");
    CLI11_PARSE(app, argc, argv);
    return one->count() > 0 ? run_one(seed, wants_trace) : run_many(first, seeds, keeps_going);
}
