// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/measures.hpp"
#include "sdctl/commands.hpp"
#include "sdctl/text_table.hpp"

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>

namespace sdfleet::sdctl {

namespace {

struct BenchOptions {
    std::string measure = "dispatch";
    int local_actors = 0;
    std::filesystem::path actor_program;
    std::uint32_t items = 0; ///< 0 = the measure's own
};

struct Measure {
    const char* name;
    base::Result<Json> (*run)(const bench::BenchFleet& fleet, std::uint32_t items);
    std::uint32_t default_items;
};

constexpr std::array measures{
    Measure{"dispatch", bench::measure_dispatch, 3'000}, Measure{"throughput", bench::measure_throughput, 50'000},
    Measure{"submit", bench::measure_submit, 4'000},     Measure{"queue", bench::measure_queue, 1'000'000},
    Measure{"results", bench::measure_results, 100},
};

/// One row for each number, whatever it is nested in.
void add_rows(TextTable& table, const std::string& prefix, const Json& figures)
{
    for (const auto& [name, value] : figures.items()) {
        if (value.is_object()) {
            add_rows(table, prefix + name + " ", value);
            continue;
        }
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), value.is_number_float() ? "%.1f" : "%.0f", value.get<double>());
        table.add({prefix + name, text.data()});
    }
}

base::Result<base::ExitCode> measure(const Program& program, const BenchOptions& options)
{
    auto fleet = bench::BenchFleet::open(program, options.local_actors, options.actor_program);
    if (!fleet) {
        return tl::unexpected(std::move(fleet.error()));
    }
    Json document{{"actors", fleet->ready_actors()}};
    for (const auto& candidate : measures) {
        if (options.measure != candidate.name && options.measure != "all") {
            continue;
        }
        auto figures = candidate.run(*fleet, options.items == 0 ? candidate.default_items : options.items);
        if (!figures) {
            return tl::unexpected(std::move(figures.error()));
        }
        document[candidate.name] = std::move(*figures);
    }
    if (program.json) {
        print_document(document);
    } else {
        TextTable table({"MEASURE", "VALUE"});
        add_rows(table, "", document);
        print_text(table.to_text());
    }
    return base::ExitCode::ok;
}

} // namespace

void add_bench_command(CLI::App& app, Program& program)
{
    auto options = std::make_shared<BenchOptions>();
    auto* command =
        add_command(app, program,
                    {"bench", "Measure how fast a fleet hands out work, with items that draw nothing",
                     "  sdctl bench --local 8 --measure throughput\n"
                     "  sdctl bench --measure all --json       # the fleet at --coordinator; its own work waits\n"
                     "  sdctl bench --local 1 --measure dispatch --items 500\n"},
                    [options, &program] { return measure(program, *options); });
    std::vector<std::string> names{"all"};
    for (const auto& known : measures) {
        names.emplace_back(known.name);
    }
    command
        ->add_option(
            "--measure", options->measure,
            "dispatch: items a second on one actor, and one item from submit to done; throughput: items a second\n"
            "on all actors; submit: jobs on disk a second; queue: a million items queued, listed, drawn,\n"
            "cancelled, and how long others wait meanwhile; results: 3 MiB results a second; all of them")
        ->check(CLI::IsMember(names))
        ->capture_default_str();
    command->add_option("--items", options->items, "Items, jobs (submit) or results of the measure (default: its own)")
        ->check(CLI::Range(1U, 1'000'000U));
    constexpr int max_actors = 256;
    command->add_option("--local", options->local_actors, "Start a fleet with so many actors and measure that")
        ->check(CLI::Range(1, max_actors));
    command->add_option("--actor-bin", options->actor_program, "The program of --local's actors (default: actor)");
}

} // namespace sdfleet::sdctl
