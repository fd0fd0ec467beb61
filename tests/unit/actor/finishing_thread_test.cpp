// SPDX-License-Identifier: Apache-2.0
#include "actor/finishing_thread.hpp"

#include "tests/catch.hpp"

#include <atomic>
#include <future>
#include <stdexcept>

using namespace sdfleet;
using namespace sdfleet::actor;

namespace {

/// Encodes when the test lets it, and cannot encode what is called "bad".
struct GatedKind : ActorKind {
    std::promise<void> gate;
    std::shared_future<void> is_open = gate.get_future().share();

    Outcome handle(const proto::Assign&, const WorkContext&) override
    {
        return tl::unexpected(Failure{proto::FailureReason::internal, "not drawn here"});
    }
    Outcome finish(const Draft& draft) override
    {
        is_open.wait();
        if (draft.media_type == "bad") {
            throw std::runtime_error("no such encoding");
        }
        return Product{draft.media_type, draft.content};
    }
};

LeftItem drawn(ActorKind& kind, std::uint64_t attempt, const std::string& media_type = "good")
{
    proto::Assign assign;
    assign.attempt_id = {attempt};
    const auto now = BatchPolicy::Time::clock::now();
    return {{assign, "", now, {}}, Draft{media_type, proto::Blob::of("pixels"), 0, 0, {}}, &kind, now, 0};
}

} // namespace

TEST_CASE("what is drawn is finished in its order, and all of it before the thread ends")
{
    GatedKind kind;
    std::vector<std::uint64_t> told;
    {
        FinishingThread finishing(8, [&](proto::AttemptId id, const proto::Packet& packet) {
            REQUIRE(std::holds_alternative<proto::ItemDone>(packet.message));
            told.push_back(id.value);
        });
        for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) {
            finishing.push(drawn(kind, attempt));
        }
        kind.gate.set_value();
    }
    REQUIRE(told == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("what cannot be finished fails alone")
{
    GatedKind kind;
    kind.gate.set_value();
    std::vector<proto::Packet> told;
    {
        FinishingThread finishing(8,
                                  [&](proto::AttemptId, proto::Packet packet) { told.push_back(std::move(packet)); });
        finishing.push(drawn(kind, 1, "bad"));
        finishing.push(drawn(kind, 2));
    }
    REQUIRE(std::get<proto::ItemFailed>(told[0].message).message == "no such encoding");
    REQUIRE(std::get<proto::ItemDone>(told[1].message).attempt_id.value == 2);
}

TEST_CASE("whoever draws faster than can be encoded has to wait")
{
    GatedKind kind;
    std::atomic<int> told = 0;
    FinishingThread finishing(2, [&](proto::AttemptId, const proto::Packet&) { ++told; });

    auto pushing = std::async(std::launch::async, [&] {
        for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) { // one is being encoded, two wait
            finishing.push(drawn(kind, attempt));
        }
        return told.load();
    });
    kind.gate.set_value();

    REQUIRE(pushing.get() >= 1);
}
