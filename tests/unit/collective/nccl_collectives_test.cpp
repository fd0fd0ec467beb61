// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_collectives.hpp"

#include "nccl_story.hpp"

#include <atomic>

using namespace sdfleet::collective;

namespace {

using Floats = std::vector<float>;

DeviceBuffer all_of(Floats& floats)
{
    return {floats.data(), floats.size() * sizeof(float)};
}

} // namespace

TEST_CASE("three ranks reduce, broadcast, gather and scatter")
{
    FakeNccl fake;
    Exchange exchange;
    const auto faults = play_ranks(3, [&](std::uint32_t rank) -> std::string {
        auto group = join(fake, exchange, rank, 3);
        if (!group) {
            return group.error().message;
        }
        const auto own = static_cast<float>(rank + 1);
        Floats sum{own, 10 * own};
        Floats word{rank == 1 ? 42.f : 0.f};
        Floats input{own};
        Floats gathered(rank == 2 ? 3 : 0);
        Floats everything(3);
        Floats parts = rank == 0 ? Floats{5, 6, 7} : Floats{};
        Floats part(1);
        for (const auto& result :
             {group->barrier(60s), group->all_reduce(all_of(sum), ElementType::float32, ReduceOp::sum, 60s),
              group->broadcast(all_of(word), 1, 60s), group->gather(all_of(input), all_of(gathered), 2, 60s),
              group->all_gather(all_of(input), all_of(everything), 60s),
              group->scatter(all_of(parts), all_of(part), 0, 60s)}) {
            if (!result) {
                return result.error().message;
            }
        }
        const bool right = sum == Floats{6, 60} && word == Floats{42} && (rank != 2 || gathered == Floats{1, 2, 3}) &&
                           everything == Floats{1, 2, 3} && part == Floats{5 + static_cast<float>(rank)};
        return right ? "" : "wrong values on rank " + std::to_string(rank);
    });

    REQUIRE(faults == std::vector<std::string>(3));
}

TEST_CASE("what one rank sends another receives, in order")
{
    FakeNccl fake;
    Exchange exchange;
    const auto received = play_ranks(2, [&](std::uint32_t rank) -> Floats {
        auto group = join(fake, exchange, rank, 2);
        Floats first{1, 2};
        Floats second{3, 4};
        if (rank == 0) {
            const bool sent = group->send(all_of(first), 1, 60s) && group->send(all_of(second), 1, 60s);
            return Floats(sent ? 0 : 1);
        }
        Floats all(4);
        const bool got = group->recv({all.data(), 8}, 0, 60s) && group->recv({all.data() + 2, 8}, 0, 60s);
        return got ? all : Floats{};
    });

    REQUIRE(received[0].empty());
    REQUIRE(received[1] == Floats{1, 2, 3, 4});
}

TEST_CASE("a call that cannot work is refused, and the group goes on")
{
    FakeNccl fake;
    Exchange exchange;
    auto group = join(fake, exchange, 0, 1);
    REQUIRE(group);
    Floats two(2);
    Floats one(1);

    for (const auto& result :
         {group->broadcast(all_of(one), 1, 60s), group->gather(all_of(one), all_of(two), 0, 60s),
          group->all_gather(all_of(one), all_of(two), 60s), group->scatter(all_of(two), all_of(one), 0, 60s),
          group->gather(all_of(one), all_of(one), 9, 60s), group->send(all_of(one), 7, 60s),
          group->all_reduce({one.data(), 3}, ElementType::float32, ReduceOp::sum, 60s),
          group->all_reduce({one.data(), 4}, ElementType::int32, ReduceOp::avg, 60s),
          group->all_reduce({one.data(), 4}, static_cast<ElementType>(8), ReduceOp::sum, 60s)}) {
        REQUIRE_FALSE(result);
        REQUIRE(std::holds_alternative<InvalidArgument>(result.error().cause));
        REQUIRE_THAT(result.error().message, ContainsSubstring("of group 'g' (epoch 7, rank 0 of 1)"));
    }
    REQUIRE(group->barrier(60s));
}

TEST_CASE("a barrier to which a rank does not come ends at its deadline, and with it the group")
{
    FakeNccl fake;
    Exchange exchange;
    std::promise<void> over;
    const auto until_over = over.get_future().share();
    const auto faults = play_ranks(2, [&](std::uint32_t rank) -> std::vector<Error> {
        auto group = join(fake, exchange, rank, 2);
        if (rank == 1) {
            until_over.wait();
            return {};
        }
        std::vector<Error> errors{group->barrier(30ms).error(), group->barrier(60s).error()};
        over.set_value();
        return errors;
    });

    REQUIRE(std::holds_alternative<TimedOut>(faults[0][0].cause));
    REQUIRE(std::get<TimedOut>(faults[0][0].cause).after == 30ms);
    REQUIRE_THAT(faults[0][0].message, StartsWith("barrier of group 'g' (epoch 7, rank 0 of 2): not done after 30 ms"));
    REQUIRE(std::holds_alternative<Aborted>(faults[0][1].cause));
    REQUIRE_THAT(faults[0][1].message, ContainsSubstring("ended before: barrier"));
}

TEST_CASE("a waiting rank stops when its owner learns of a death, long before the deadline")
{
    FakeNccl fake;
    Exchange exchange;
    std::atomic<bool> joined{false};
    std::atomic<bool> waits{false};
    std::atomic<bool> dead{false};
    const auto messages = play_ranks(2, [&](std::uint32_t rank) -> std::string {
        const auto stop = [&]() -> std::optional<Error> {
            if (joined) {
                waits = true;
                waits.notify_all();
            }
            return dead ? std::optional(Error{PeerLost{{sdfleet::proto::Rank{1}}}, "rank 1 died"}) : std::nullopt;
        };
        auto group = join(fake, exchange, rank, 2, 60s, rank == 0 ? StopCheck(stop) : StopCheck());
        if (rank == 1) {
            waits.wait(false);
            dead = true;
            return "";
        }
        joined = true;
        const auto error = group->barrier(600s).error();
        return std::holds_alternative<PeerLost>(error.cause) ? error.message : "another error: " + error.message;
    });

    REQUIRE(messages[0] == "barrier of group 'g' (epoch 7, rank 0 of 2): rank 1 died");
}

TEST_CASE("what NCCL reports while it waits is an error with its words")
{
    FakeNccl fake;
    const auto fault = GENERATE(fake_nccl_network_error, fake_nccl_internal_error);
    const bool is_loss = fault == fake_nccl_network_error;
    Exchange exchange;
    std::promise<void> over;
    const auto until_over = over.get_future().share();
    const auto errors = play_ranks(2, [&](std::uint32_t rank) -> std::optional<Error> {
        auto group = join(fake, exchange, rank, 2);
        if (rank == 1) {
            until_over.wait();
            return {};
        }
        fake.set_fault(fault);
        const auto error = group->barrier(600s).error();
        over.set_value();
        return error;
    });

    REQUIRE(std::holds_alternative<PeerLost>(errors[0]->cause) == is_loss);
    REQUIRE_THAT(errors[0]->message, ContainsSubstring(is_loss ? "NCCL lost a rank: remote process exited"
                                                               : "NCCL failed: internal error"));
}

TEST_CASE("NCCL sees that somebody is lost, the owner knows who: the error names the rank")
{
    FakeNccl fake;
    Exchange exchange;
    std::promise<void> over;
    const auto until_over = over.get_future().share();
    std::atomic<bool> may_tell{false};
    const auto errors = play_ranks(2, [&](std::uint32_t rank) -> std::optional<Error> {
        const auto stop = [&]() -> std::optional<Error> {
            return may_tell ? std::optional(Error{PeerLost{{sdfleet::proto::Rank{1}}}, "rank 1 died"}) : std::nullopt;
        };
        auto group = join(fake, exchange, rank, 2, 60s, rank == 0 ? StopCheck(stop) : StopCheck());
        if (rank == 1) {
            until_over.wait();
            return {};
        }
        may_tell = true;
        fake.set_fault(fake_nccl_network_error);
        const auto error = group->barrier(600s).error();
        over.set_value();
        return error;
    });

    REQUIRE(std::get<PeerLost>(errors[0]->cause).ranks == std::vector{sdfleet::proto::Rank{1}});
}

TEST_CASE("a rank that never joins is a timeout, and nothing stays open")
{
    FakeNccl fake;
    Exchange exchange;

    const auto group = join(fake, exchange, 0, 2, 30ms);

    REQUIRE_FALSE(group);
    REQUIRE(std::holds_alternative<TimedOut>(group.error().cause));
    REQUIRE_THAT(group.error().message, StartsWith("forming NCCL of group 'g'"));
}

TEST_CASE("ranks with different versions of NCCL do not begin what would hang")
{
    FakeNccl fake;
    Exchange exchange;
    const auto messages = play_ranks(2, [&](std::uint32_t rank) -> std::string {
        NcclOptions options;
        options.device = static_cast<int>(rank);
        const auto group = join(fake, exchange, rank, 2, rank == 0 ? 100ms : 60s, {}, options);
        return group ? "" : group.error().message;
    });

    REQUIRE_THAT(messages[1], ContainsSubstring("rank 0 has NCCL 22809, this rank 23007"));
}

TEST_CASE("no group where rank 0 cannot invite, what it sent is nonsense, or the exchange fails")
{
    FakeNccl fake;
    const auto form = [&](std::uint32_t rank, auto exchange) {
        return NcclCollectives::create(fake.plugin(), {"g", Epoch{7}, rank, 2}, {}, {exchange, {}}, 60s);
    };
    const auto nonsense = [](std::vector<std::byte>& bytes, std::chrono::milliseconds) -> Result<void> {
        bytes.assign(136, std::byte{1});
        return {};
    };
    const auto aborted = [](std::vector<std::byte>&, std::chrono::milliseconds) -> Result<void> {
        return tl::unexpected(Error{Aborted{}, "rank 0 left"});
    };

    REQUIRE_THAT(form(1, nonsense).error().message, ContainsSubstring("no NCCL invitation"));
    REQUIRE_THAT(form(1, aborted).error().message, ContainsSubstring("rank 0 left"));
    REQUIRE(std::holds_alternative<InvalidArgument>(form(2, nonsense).error().cause));
    fake.set_fault(fake_nccl_no_unique_id);
    REQUIRE_THAT(form(0, nonsense).error().message, ContainsSubstring("no interface found"));
    fake.set_fault(fake_nccl_no_driver);
    REQUIRE(std::holds_alternative<BackendUnavailable>(form(0, nonsense).error().cause));
}
