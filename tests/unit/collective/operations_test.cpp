// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include <rapidcheck.h>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

/// Payloads around the limits: empty, one byte, copied, lent, a piece exactly, more than a piece.
const std::vector<std::size_t> sizes{0, 1, 5'000, 100'000, 1u << 20, (1u << 20) + 1, 2'500'001};

Bytes pattern(std::size_t size, std::uint32_t seed)
{
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>((i * 131 + seed * 17 + (i >> 12)) & 0xff);
    }
    return bytes;
}

bool all(const std::vector<bool>& outcomes)
{
    return std::ranges::all_of(outcomes, [](bool is_good) { return is_good; });
}

/// Runs the function on all ranks of these groups and requires that it is true everywhere.
void require_on_all(std::vector<ProcessGroup>& groups, const std::function<bool(ProcessGroup&)>& function)
{
    std::vector<std::atomic<bool>> good(groups.size());
    on_ranks<int>(static_cast<std::uint32_t>(groups.size()), [&](std::uint32_t rank) {
        good[rank] = function(groups[rank]);
        return 0;
    });
    REQUIRE(all({good.begin(), good.end()}));
}

} // namespace

TEST_CASE("nobody leaves a barrier before everybody has come")
{
    for (const std::uint32_t world_size : {1u, 2u, 4u, 20u}) {
        auto groups = world_size == 1 ? std::vector<ProcessGroup>{} : make_groups(world_size);
        if (world_size == 1) {
            groups.push_back(std::move(*init_process_group(Backend::zmq, 0, 1, ViaMaster{})));
        }
        std::atomic<std::uint32_t> arrived = 0;
        for (std::uint32_t round = 1; round <= 20; ++round) {
            require_on_all(groups, [&](ProcessGroup& group) {
                ++arrived;
                return group.barrier() && arrived >= round * world_size;
            });
        }
    }
}

TEST_CASE("broadcast gives everybody the root's bytes, whatever they had before")
{
    for (const std::uint32_t world_size : {3u, 19u}) {
        auto groups = make_groups(world_size);
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const auto root = static_cast<std::uint32_t>(i) % world_size;
            const auto expected = pattern(sizes[i], root);
            require_on_all(groups, [&](ProcessGroup& group) {
                auto bytes = group.rank() == root ? expected : bytes_of("old");
                return group.broadcast(bytes, root) && bytes == expected;
            });
        }
    }
}

TEST_CASE("gather and all_gather bring unequal lengths, by rank")
{
    auto groups = make_groups(4);
    rc::check("lengths and root as they come", [&] {
        std::vector<Bytes> given;
        for (std::uint32_t rank = 0; rank < 4; ++rank) {
            const auto size = *rc::gen::elementOf(sizes);
            given.push_back(pattern(size, rank + *rc::gen::inRange(0u, 100u)));
        }
        const auto root = *rc::gen::inRange(0u, 4u);
        require_on_all(groups, [&](ProcessGroup& group) {
            const auto at_root = group.gather(given[group.rank()], root);
            const auto everywhere = group.all_gather(given[group.rank()]);
            const auto expected = group.rank() == root ? given : std::vector<Bytes>{};
            return at_root && *at_root == expected && everywhere && *everywhere == given;
        });
    });
}

TEST_CASE("scatter gives each rank its part")
{
    auto groups = make_groups(3);
    std::vector<Bytes> parts{pattern(7, 0), {}, pattern(3'000'000, 2)};
    require_on_all(groups, [&](ProcessGroup& group) {
        const auto own = group.scatter(group.rank() == 1 ? parts : std::vector<Bytes>{}, 1);
        return own && *own == parts[group.rank()];
    });
}

TEST_CASE("the operations on buffers of known size do the same, in place")
{
    auto groups = make_groups(3);
    constexpr std::size_t part = 700'001;
    Bytes whole;
    for (std::uint32_t rank = 0; rank < 3; ++rank) {
        const auto piece = pattern(part, rank);
        whole.insert(whole.end(), piece.begin(), piece.end());
    }
    require_on_all(groups, [&](ProcessGroup& group) {
        const auto own = pattern(part, group.rank());
        Bytes gathered(group.rank() == 2 ? whole.size() : 0);
        Bytes everywhere(whole.size());
        Bytes scattered(part);
        auto sent = group.rank() == 1 ? whole : Bytes(whole.size());
        const bool is_done = group.gather_into(own, gathered, 2) && group.all_gather_into(own, everywhere) &&
                             group.scatter_into(group.rank() == 0 ? whole : Bytes{}, scattered, 0) &&
                             group.broadcast_into(sent, 1);
        return is_done && (group.rank() != 2 || gathered == whole) && everywhere == whole && scattered == own &&
               sent == whole;
    });
}

TEST_CASE("messages find their receiver by sender and tag, whatever comes between")
{
    auto groups = make_groups(3);
    require_on_all(groups, [](ProcessGroup& group) {
        if (group.rank() != 0) {
            const auto name = std::to_string(group.rank());
            return group.send(bytes_of("first of " + name), 0, 7) && group.send({}, 0, 9) && group.barrier() &&
                   group.send(bytes_of("second of " + name), 0, 7);
        }
        const auto is_text = [](const Result<Bytes>& bytes, const std::string& text) {
            return bytes && text_of(*bytes) == text;
        };
        Bytes fixed(10);
        return group.barrier() && is_text(group.recv(2, 9), "") && is_text(group.recv(2, 7), "first of 2") &&
               is_text(group.recv(1, 7), "first of 1") && is_text(group.recv(2, 7), "second of 2") &&
               group.recv_into(std::span(fixed).first(0), 1, 9) && group.recv_into(fixed, 1, 7).has_value() == false;
    });
}

TEST_CASE("what is larger than the window waits for its receiver, and arrives")
{
    auto groups = make_groups(2);
    const auto large = pattern(90'000'000, 3);
    require_on_all(groups, [&](ProcessGroup& group) {
        if (group.rank() == 0) {
            return group.send(large, 1).has_value() && group.barrier();
        }
        const auto received = group.recv(0);
        return received && *received == large && group.barrier();
    });
}

TEST_CASE("a hundred fast operations ahead of a slow rank are kept for it, in order")
{
    auto groups = make_groups(2);
    require_on_all(groups, [](ProcessGroup& group) {
        for (int i = 0; i < 100; ++i) {
            Bytes bytes = group.rank() == 0 ? bytes_of(std::to_string(i)) : Bytes{};
            if (!group.broadcast(bytes, 0) || text_of(bytes) != std::to_string(i)) {
                return false;
            }
        }
        return group.barrier().has_value();
    });
}

namespace {

template <class Number>
Number combine(Number a, Number b, ReduceOp op)
{
    switch (op) {
    case ReduceOp::product:
        return a * b;
    case ReduceOp::min:
        return std::min(a, b);
    case ReduceOp::max:
        return std::max(a, b);
    default:
        return a + b;
    }
}

/// Small whole numbers, so that the order of a floating-point reduction does not matter.
template <class Number>
void check_all_reduce(std::vector<ProcessGroup>& groups, ElementType type, std::size_t count, ReduceOp op,
                      std::uint32_t seed)
{
    const auto world_size = static_cast<std::uint32_t>(groups.size());
    const auto own = [&](std::uint32_t rank, std::size_t i) {
        return static_cast<Number>(1 + (i * 7 + rank * 3 + seed) % 3);
    };
    std::vector<std::vector<Number>> results(world_size);
    require_on_all(groups, [&](ProcessGroup& group) {
        auto& numbers = results[group.rank()];
        for (std::size_t i = 0; i < count; ++i) {
            numbers.push_back(own(group.rank(), i));
        }
        return group.all_reduce(std::as_writable_bytes(std::span(numbers)), type, op).has_value();
    });
    for (std::size_t i = 0; i < count; ++i) {
        auto expected = own(0, i);
        for (std::uint32_t rank = 1; rank < world_size; ++rank) {
            expected = combine(expected, own(rank, i), op);
        }
        if (op == ReduceOp::avg) {
            expected /= static_cast<Number>(world_size);
        }
        RC_ASSERT(results[0][i] == expected);
    }
    for (const auto& result : results) {
        RC_ASSERT(std::memcmp(result.data(), results[0].data(), count * sizeof(Number)) == 0);
    }
}

} // namespace

TEST_CASE("all_reduce is what a plain loop over the ranks gives, for few elements and for many")
{
    for (const std::uint32_t world_size : {2u, 4u}) {
        auto groups = make_groups(world_size);
        rc::check("count, operation and numbers as they come", [&] {
            const auto count = *rc::gen::elementOf(std::vector<std::size_t>{0, 1, 3, 1'000, 16'383, 40'000});
            const auto op =
                *rc::gen::elementOf(std::vector{ReduceOp::sum, ReduceOp::product, ReduceOp::min, ReduceOp::max});
            const auto seed = *rc::gen::inRange(0u, 1'000u);
            check_all_reduce<float>(groups, ElementType::float32, count, op, seed);
            check_all_reduce<std::int64_t>(groups, ElementType::int64, count, op, seed);
            check_all_reduce<double>(groups, ElementType::float64, count, ReduceOp::avg, seed);
        });
    }
}
