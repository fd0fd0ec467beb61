// SPDX-License-Identifier: Apache-2.0
#include "proto/program_messages.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;

namespace {

proto::ProgramSpec sound()
{
    proto::ProgramSpec spec;
    spec.command = {"draw", "--fast"};
    spec.environment = {{"COLOUR", "red = warm"}, {"EMPTY", ""}};
    spec.ranks = 4;
    return spec;
}

/// Whether the spec, after the change, has a fault that mentions `word`.
template <class Change>
bool has_fault(const std::string& word, const Change& change)
{
    auto spec = sound();
    change(spec);
    const auto fault = find_fault(spec);
    INFO(fault.value_or("no fault"));
    return fault && fault->find(word) != std::string::npos && fault->find('\n') == std::string::npos;
}

} // namespace

TEST_CASE("a plain program is without fault, and so is one at all limits")
{
    REQUIRE(find_fault(sound()) == std::nullopt);
    auto spec = sound();
    spec.ranks = proto::max_ranks;
    spec.nodes = proto::max_ranks;
    spec.devices_per_rank = 256;
    spec.max_restarts = 1'000;
    spec.stop_grace_ms = 600'000;
    spec.command.back() = std::string(32 * 1024, 'x');
    REQUIRE(find_fault(spec) == std::nullopt);
}

TEST_CASE("a program without a command, or with one that no system can run, is refused")
{
    using Spec = proto::ProgramSpec;
    REQUIRE(has_fault("needs a command", [](Spec& spec) { spec.command.clear(); }));
    REQUIRE(has_fault("needs a command", [](Spec& spec) { spec.command.front().clear(); }));
    REQUIRE(has_fault("none of them 0", [](Spec& spec) { spec.command.back() = std::string("a\0b", 3); }));
    REQUIRE(has_fault("32768 bytes", [](Spec& spec) { spec.command.back() = std::string(32 * 1024 + 1, 'x'); }));
    REQUIRE(has_fault("4096 arguments", [](Spec& spec) { spec.command.resize(4'097, "x"); }));
    REQUIRE(has_fault("524288 bytes", [](Spec& spec) { spec.command.resize(18, std::string(32 * 1024, 'x')); }));
}

TEST_CASE("environment variables have names that can be names, and values with an end")
{
    using Spec = proto::ProgramSpec;
    const auto named = [](const std::string& name) { return [name](Spec& spec) { spec.environment = {{name, "x"}}; }; };
    REQUIRE(has_fault("'' cannot be the name", named("")));
    REQUIRE(has_fault("'A=B' cannot be the name", named("A=B")));
    REQUIRE(has_fault("cannot be the name", named(std::string("A\0B", 3))));
    REQUIRE(has_fault("cannot be the name", named(std::string(257, 'A'))));
    REQUIRE(has_fault("the value of A", [](Spec& spec) {
        spec.environment = {{"A", std::string(32 * 1024 + 1, 'x')}};
    }));
    REQUIRE(has_fault("the value of A", [](Spec& spec) { spec.environment = {{"A", std::string("x\0", 2)}}; }));
    REQUIRE(has_fault("at most 1024", [](Spec& spec) { spec.environment.resize(1'025, {"A", "x"}); }));
}

TEST_CASE("numbers that make no sense are named")
{
    using Spec = proto::ProgramSpec;
    REQUIRE(has_fault("1 to 4096 ranks, not 0", [](Spec& spec) { spec.ranks = 0; }));
    REQUIRE(has_fault("not 4097", [](Spec& spec) { spec.ranks = 4'097; }));
    REQUIRE(has_fault("1 to 256 devices, not 0", [](Spec& spec) { spec.devices_per_rank = 0; }));
    REQUIRE(has_fault("not 257", [](Spec& spec) { spec.devices_per_rank = 257; }));
    REQUIRE(has_fault("4 ranks cannot be spread over 5 nodes", [](Spec& spec) { spec.nodes = 5; }));
    REQUIRE(has_fault("1000 restarts", [](Spec& spec) { spec.max_restarts = 1'001; }));
    REQUIRE(has_fault("600 s", [](Spec& spec) { spec.stop_grace_ms = 600'001; }));
    REQUIRE(has_fault("working directory", [](Spec& spec) { spec.working_dir = std::string(5'000, 'd'); }));
    REQUIRE(has_fault("working directory", [](Spec& spec) { spec.working_dir = std::string("a\0b", 3); }));
}
