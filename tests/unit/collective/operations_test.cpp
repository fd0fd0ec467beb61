// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <atomic>
#include <numeric>

#include <rapidcheck.h>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

/// Payloads around the limits: empty, one byte, a piece exactly, more than a piece, more than a window.
const std::vector<std::size_t> sizes{0, 1, 5'000, 1u << 20, (1u << 20) + 1, 5'000'001};

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
    rc::check([&] {
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
