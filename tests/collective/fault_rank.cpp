// SPDX-License-Identifier: Apache-2.0
// One rank of tests/collective/fault_rounds. Obeys lines on stdin, answers on stdout:
//   run RANK WORLD_SIZE EPOCH PORT SEED DEADLINE_MS OPERATIONS
//   → formed EPOCH, then: end EPOCH OUTCOME RANKS WORST_MS LINE    (RANKS: "1,2" or "-"; WORST_MS: of one operation)
#include "base/die_with_parent.hpp"
#include "collective/process_group.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

using namespace sdfleet::collective;

namespace {

using Clock = std::chrono::steady_clock;

struct Order {
    std::uint32_t rank = 0;
    std::uint32_t world_size = 0;
    std::uint64_t epoch = 0;
    std::uint16_t port = 0;
    std::uint64_t seed = 0;
    std::int64_t deadline_ms = 0;
    std::uint64_t operations = 0;
};

std::string name_of(const Cause& cause)
{
    constexpr const char* names[] = {"timed_out",          "peer_lost",        "aborted",    "size_mismatch",
                                     "operation_mismatch", "invalid_argument", "not_formed", "backend_unavailable"};
    return names[cause.index()];
}

std::string ranks_of(const Cause& cause)
{
    std::vector<Rank> ranks;
    if (const auto* timed_out = std::get_if<TimedOut>(&cause)) {
        ranks = timed_out->missing;
    } else if (const auto* lost = std::get_if<PeerLost>(&cause)) {
        ranks = lost->ranks;
    }
    std::string text;
    for (const auto rank : ranks) {
        text += (text.empty() ? "" : ",") + std::to_string(rank.value);
    }
    return text.empty() ? "-" : text;
}

/// What rank `rank` contributes to operation `index`: its length and content differ from all others'.
Bytes contribution(std::uint64_t seed, std::uint64_t index, std::uint32_t rank)
{
    constexpr std::size_t sizes[] = {0, 1, 100, 10'000, 200'000, 1'500'000};
    std::minstd_rand random(static_cast<std::uint32_t>(seed * 31 + index * 1'009 + rank * 7 + 1));
    Bytes bytes(sizes[random() % std::size(sizes)]);
    const auto value = random();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(value + i);
    }
    return bytes;
}

/// What went wrong: an error of the group, or a result that is not what it must be.
struct Outcome {
    std::string name = "ok";
    std::string ranks = "-";
    std::string line = "-";
};

Outcome outcome_of(const Error& error)
{
    return {name_of(error.cause), ranks_of(error.cause), error.message};
}

template <class T>
Outcome check(const Result<T>& result, bool is_right)
{
    if (!result) {
        return outcome_of(result.error());
    }
    return is_right ? Outcome{} : Outcome{"wrong", "-", "a result that differs"};
}

Outcome all_reduce(ProcessGroup& group, std::uint64_t index)
{
    std::vector<std::int64_t> numbers(index % 2 == 0 ? 100 : 100'000, static_cast<std::int64_t>(group.rank() + index));
    const auto done = group.all_reduce(std::as_writable_bytes(std::span(numbers)), ElementType::int64, ReduceOp::sum);
    const std::int64_t size = group.world_size();
    const auto expected = size * (size - 1) / 2 + size * static_cast<std::int64_t>(index);
    return check(done, std::ranges::all_of(numbers, [&](auto number) { return number == expected; }));
}

Outcome run_operation(ProcessGroup& group, const Order& order, std::uint64_t index)
{
    std::minstd_rand random(static_cast<std::uint32_t>(order.seed + index * 77 + 1));
    const auto root = static_cast<std::uint32_t>(random()) % group.world_size();
    const auto own = contribution(order.seed, index, group.rank());
    std::vector<Bytes> all;
    for (std::uint32_t rank = 0; rank < group.world_size(); ++rank) {
        all.push_back(contribution(order.seed, index, rank));
    }
    switch (random() % 6) {
    case 0: {
        return check(group.barrier(), true);
    }
    case 1: {
        const auto gathered = group.gather(own, root);
        return check(gathered, gathered && *gathered == (group.rank() == root ? all : std::vector<Bytes>{}));
    }
    case 2: {
        const auto gathered = group.all_gather(own);
        return check(gathered, gathered && *gathered == all);
    }
    case 3: {
        auto bytes = own;
        const auto done = group.broadcast(bytes, root);
        return check(done, bytes == all[root]);
    }
    case 4: {
        const auto part = group.scatter(all, root);
        return check(part, part && *part == own);
    }
    default:
        return all_reduce(group, index);
    }
}

void obey(const Order& order)
{
    InitOptions options;
    options.timeout = std::chrono::milliseconds(order.deadline_ms);
    options.epoch.value = order.epoch;
    std::int64_t worst_ms = 0;
    Outcome outcome;
    const auto measured = [&](const auto& function) {
        const auto begin = Clock::now();
        outcome = function();
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
        worst_ms = std::max<std::int64_t>(worst_ms, took);
    };
    std::optional<ProcessGroup> group;
    measured([&] {
        auto formed = init_process_group(Backend::zmq, order.rank, order.world_size,
                                         ViaMaster{"127.0.0.1", order.port, ""}, options);
        if (!formed) {
            return outcome_of(formed.error());
        }
        group.emplace(std::move(*formed));
        return Outcome{};
    });
    if (group) {
        std::cout << "formed " << order.epoch << std::endl;
    }
    for (std::uint64_t index = 0; outcome.name == "ok" && index < order.operations; ++index) {
        measured([&] { return run_operation(*group, order, index); });
    }
    std::cout << "end " << order.epoch << ' ' << outcome.name << ' ' << outcome.ranks << ' ' << worst_ms << ' '
              << outcome.line << std::endl;
}

} // namespace

int main()
{
    if (!sdfleet::base::die_with_parent()) {
        return 1;
    }
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string command;
        Order order;
        words >> command >> order.rank >> order.world_size >> order.epoch >> order.port >> order.seed >>
            order.deadline_ms >> order.operations;
        if (!words || command != "run") {
            std::cerr << "fault_rank: not an order: " << line << '\n';
            return 2;
        }
        obey(order);
    }
    return 0;
}
