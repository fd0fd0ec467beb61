// SPDX-License-Identifier: Apache-2.0
#include "collective/mesh.hpp"

#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <array>
#include <filesystem>
#include <random>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;
namespace net = sdfleet::net;
namespace proto = sdfleet::proto;

namespace {

/// Meshes of as many machines, in one process: they have nothing in common but the loopback address.
struct Machines {
    std::vector<std::unique_ptr<Mesh>> meshes;
    std::vector<proto::GroupMember> members;

    explicit Machines(std::uint32_t count)
    {
        for (std::uint32_t rank = 0; rank < count; ++rank) {
            meshes.push_back(std::make_unique<Mesh>(Membership{"default", {5}, {rank}, count}));
            members.push_back(*meshes[rank]->listen({"machine " + std::to_string(rank), std::nullopt, "127.0.0.1"}));
        }
    }

    std::vector<Result<void>> connect(std::chrono::milliseconds timeout = patience)
    {
        return on_ranks<Result<void>>(static_cast<std::uint32_t>(meshes.size()), [&](std::uint32_t rank) {
            return meshes[rank]->connect(members, Deadline::in(timeout));
        });
    }

    /// Everybody sends its rank's byte so often to rank 0; true when all came.
    bool exchange(std::size_t size)
    {
        const auto count = static_cast<std::uint32_t>(meshes.size());
        Operation operation;
        operation.kind = OperationKind::gather;
        operation.sequence = ++sequence;
        std::vector<Bytes> received(count);
        const auto done = on_ranks<bool>(count, [&](std::uint32_t rank) {
            const Bytes own(size, static_cast<std::byte>(rank));
            std::vector<Outgoing> outgoing;
            std::vector<Incoming> incoming;
            for (std::uint32_t other = 1; other < count; ++other) {
                if (rank == 0) {
                    incoming.push_back({{other}, IntoBytes{&received[other]}});
                } else if (rank == other) {
                    outgoing.push_back({{0}, own});
                }
            }
            return meshes[rank]
                ->run(operation, outgoing, incoming, Mesh::Until::memory_free, Deadline::in(patience))
                .has_value();
        });
        for (std::uint32_t rank = 1; rank < count; ++rank) {
            if (received[rank] != Bytes(size, static_cast<std::byte>(rank))) {
                return false;
            }
        }
        return std::ranges::all_of(done, [](bool is_done) { return is_done; });
    }

    std::uint64_t sequence = 0;
};

} // namespace

TEST_CASE("ranks on different machines meet over TCP with keys, and bring payloads")
{
    Machines machines(3);
    for (const auto& connected : machines.connect()) {
        REQUIRE(connected);
    }
    for (const std::size_t size : {0u, 1u, 3'000'000u}) {
        REQUIRE(machines.exchange(size));
    }
}

TEST_CASE("a rank whose key is not the one in the list does not get in, and is named")
{
    Machines machines(3);
    machines.members[2].public_key = net::make_curve_key_pair().public_key;
    const auto outcomes = machines.connect(1s);
    REQUIRE_FALSE(outcomes[0]);
    REQUIRE(std::get<TimedOut>(outcomes[0].error().cause).missing == std::vector<Rank>{{2}});
    REQUIRE_THAT(outcomes[0].error().message, ContainsSubstring("rank 2 joined, but no connection came about"));
}

TEST_CASE("what strangers say at a private socket is not listened to")
{
    const auto folder = std::filesystem::temp_directory_path() / ("mesh-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    std::vector<std::unique_ptr<Mesh>> meshes;
    std::vector<proto::GroupMember> members;
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
        meshes.push_back(std::make_unique<Mesh>(Membership{"default", {5}, {rank}, 2}));
        members.push_back(*meshes[rank]->listen({"here", (folder / std::to_string(rank)).string(), std::nullopt}));
    }
    net::MeshSocket stranger;
    const auto door = *stranger.dial(members[0].endpoints.at(0), std::nullopt);
    std::minstd_rand random(7);
    for (int i = 0; i < 200; ++i) { // noise; then things that look like messages of a rank, from one that is none
        Bytes noise(random() % 200);
        std::ranges::generate(noise, [&] { return static_cast<std::byte>(random()); });
        REQUIRE(stranger.send(door, noise, noise));
    }
    for (const auto kind : {FrameKind::hello, FrameKind::data, FrameKind::abort, FrameKind::leave}) {
        FrameHeader header{kind, 5, {}, 40, 0};
        header.operation.root = 1;
        header.operation.whole_bytes = 2;
        REQUIRE(stranger.send(door, encode(header), Bytes(40, std::byte{'k'})));
    }
    const auto outcomes = on_ranks<Result<void>>(
        2, [&](std::uint32_t rank) { return meshes[rank]->connect(members, Deadline::in(patience)); });
    REQUIRE((outcomes[0] && outcomes[1]));
    meshes.clear();
    std::filesystem::remove_all(folder);
}

TEST_CASE("a member that does not keep to the protocol ends the epoch, and is named")
{
    const auto folder = std::filesystem::temp_directory_path() / ("mesh-bad-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const auto keys = net::make_curve_key_pair();
    for (const auto& nonsense : {Bytes(3), Bytes(header_bytes)}) {
        Mesh mesh({"default", {5}, {0}, 2});
        const auto own = *mesh.listen({"here", (folder / "0").string(), std::nullopt});
        net::MeshSocket bad;
        const auto door = *bad.dial(own.endpoints.at(0), std::nullopt);
        FrameHeader hello{FrameKind::hello, 5, {}, keys.public_key.size(), 0};
        hello.operation.root = 1;
        hello.operation.whole_bytes = 2;
        REQUIRE(bad.send(door, encode(hello), std::as_bytes(std::span(keys.public_key))));
        REQUIRE(mesh.connect({own, {{1}, "here", {"ipc://nowhere"}, keys.public_key}}, Deadline::in(patience)));

        REQUIRE(bad.send(door, nonsense));
        Incoming incoming{{1}, IntoBuffer{}};
        const auto outcome = mesh.run({OperationKind::barrier}, {}, std::span(&incoming, 1), Mesh::Until::on_its_way,
                                      Deadline::in(patience));
        REQUIRE_FALSE(outcome);
        REQUIRE(std::get<PeerLost>(outcome.error().cause).ranks == std::vector<Rank>{{1}});
        REQUIRE_THAT(outcome.error().message, ContainsSubstring("does not keep to the protocol"));
    }
    std::filesystem::remove_all(folder);
}
