// SPDX-License-Identifier: Apache-2.0
#include "collective/split_between_processes.hpp"

#include "tests/catch.hpp"

#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

using namespace sdfleet::collective;
using Items = std::vector<std::int64_t>;
using Columns = std::map<std::string, Items>;

namespace {

struct Case {
    nlohmann::json golden;

    std::uint32_t num_processes() const { return static_cast<std::uint32_t>(golden["shares"].size()); }
    Padding padding() const { return golden["padding"] ? apply_padding : Padding::none; }
};

/// What accelerate itself did, recorded by tests/parity/make_split_golden.py.
std::vector<Case> golden_cases(const std::string& kind)
{
    std::ifstream file(SDFLEET_SOURCE_DIR "/tests/parity/golden/split.json");
    auto recorded = nlohmann::json::parse(file);
    std::vector<Case> cases;
    for (auto& golden : recorded["cases"]) {
        if (golden["kind"] == kind) {
            cases.push_back({std::move(golden)});
        }
    }
    return cases;
}

} // namespace

TEST_CASE("a list is split as accelerate splits it, with padding and without")
{
    const auto cases = golden_cases("list");
    REQUIRE(cases.size() > 50);
    for (const auto& one : cases) {
        const auto items = one.golden["items"].get<Items>();
        for (std::uint32_t rank = 0; rank < one.num_processes(); ++rank) {
            INFO(one.golden << " rank " << rank);
            REQUIRE(take(items, one.num_processes(), rank, one.padding()) == one.golden["shares"][rank].get<Items>());
        }
    }
}

TEST_CASE("columns of equal length are split as accelerate splits them")
{
    const auto cases = golden_cases("dict");
    REQUIRE(cases.size() > 50);
    for (const auto& one : cases) {
        const auto columns = one.golden["items"].get<Columns>();
        for (std::uint32_t rank = 0; rank < one.num_processes(); ++rank) {
            INFO(one.golden << " rank " << rank);
            const auto mine = take(columns, one.num_processes(), rank, one.padding());
            REQUIRE(mine.value() == one.golden["shares"][rank].get<Columns>());
        }
    }
}

TEST_CASE("padding repeats the last item of the input, not of the process")
{
    const Items items{0, 1, 2, 3, 4, 5, 6};
    REQUIRE(take(items, 3, 0, apply_padding) == Items{0, 1, 2});
    REQUIRE(take(items, 3, 1, apply_padding) == Items{3, 4, 6});
    REQUIRE(take(items, 3, 2, apply_padding) == Items{5, 6, 6});
}

TEST_CASE("of no items every process gets none, also with padding")
{
    REQUIRE(take(Items{}, 3, 0, apply_padding).empty());
    REQUIRE(take(Items{}, 3, 2, Padding::none).empty());
    REQUIRE(take(Columns{}, 2, 1, apply_padding)->empty());
}

TEST_CASE("columns of unequal length are refused, by name")
{
    const Columns columns{{"prompt", {1, 2, 3}}, {"seed", {1, 2}}};
    for (const std::uint32_t num_processes : {1U, 2U}) {
        const auto mine = take(columns, num_processes, 0, Padding::none);
        REQUIRE_FALSE(mine);
        REQUIRE(std::holds_alternative<InvalidArgument>(mine.error().cause));
        REQUIRE_THAT(mine.error().message, ContainsSubstring("'prompt' has 3 items and 'seed' has 2"));
    }
    const std::map<int, Items> numbered{{7, {1}}, {8, {}}};
    REQUIRE_THAT(take(numbered, 2, 0, Padding::none).error().message,
                 ContainsSubstring("'7' has 1 items and '8' has 0"));
}
