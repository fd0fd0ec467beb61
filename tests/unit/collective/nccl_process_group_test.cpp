// SPDX-License-Identifier: Apache-2.0
#include "nccl_group.hpp"

#include <thread>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

using Floats = std::vector<float>;

Floats of_rank(std::uint32_t rank, std::size_t count)
{
    return Floats(count, static_cast<float>(rank + 1));
}

Outcome wrong(const std::string& what)
{
    return Error{InvalidArgument{}, "wrong values: " + what};
}

} // namespace

TEST_CASE("every operation on device memory goes through NCCL, and everything else over the group's own connections")
{
    FakeNccl fake;
    const auto outcomes = play(nccl_groups(3), [](ProcessGroup& group, DeviceCollectives& device) -> Outcome {
        const auto rank = group.rank();
        auto sum = of_rank(rank, 5);
        auto word = of_rank(rank, 7);
        const auto mine = of_rank(rank, 2);
        Floats at_2(rank == 2 ? 6 : 0);
        Floats everywhere(6);
        const Floats parts{10, 20, 30};
        Floats part(1);
        const auto type = ElementType::float32;
        const auto done =
            device.barrier({}, {})
                .and_then([&] { return device.all_reduce(sum.data(), 5, type, ReduceOp::sum, {}, {}); })
                .and_then([&] { return device.broadcast(word.data(), 7, type, 1, {}, {}); })
                .and_then([&] { return device.gather(mine.data(), at_2.data(), 2, type, 2, {}, {}); })
                .and_then([&] { return device.all_gather(mine.data(), everywhere.data(), 2, type, {}, {}); })
                .and_then(
                    [&] { return device.scatter(rank == 0 ? parts.data() : nullptr, part.data(), 1, type, 0, {}, {}); })
                .and_then([&] { return device.all_reduce(nullptr, 0, type, ReduceOp::sum, {}, {}); })
                .and_then([&] { return group.barrier(); });
        const Floats all{1, 1, 2, 2, 3, 3};
        if (!done) {
            return done.error();
        }
        if (sum != Floats(5, 6) || word != Floats(7, 2) || everywhere != all || (rank == 2 && at_2 != all) ||
            part != Floats(1, static_cast<float>(10 * (rank + 1)))) {
            return wrong("collective");
        }
        const auto bytes = group.all_gather(bytes_of(std::to_string(rank)));
        return bytes && text_of((*bytes)[2]) == "2" && group.backend() == Backend::nccl && device.device() == "cuda:0"
                   ? Outcome{}
                   : wrong("bytes");
    });
    for (const auto& outcome : outcomes) {
        INFO((outcome ? outcome->message : ""));
        REQUIRE_FALSE(outcome);
    }
    REQUIRE(fake.started() >= 3 * 7); // a barrier when forming, six of the operations, but not the empty one
}

TEST_CASE("a tensor on a device is sent when its receiver is there, in the order of the sends")
{
    FakeNccl fake;
    const auto outcomes = play(nccl_groups(2), [](ProcessGroup& group, DeviceCollectives& device) -> Outcome {
        auto first = of_rank(group.rank(), 3);
        auto second = of_rank(group.rank() + 10, 4);
        const auto type = ElementType::float32;
        if (group.rank() == 0) {
            // The bytes of a message on the same pair of ranks do not get into the way.
            return outcome_of(group.send(bytes_of("hello"), 1)
                                  .and_then([&] { return device.send(first.data(), 3, type, 1, {}, {}); })
                                  .and_then([&] { return device.recv(second.data(), 4, type, 1, {}, {}); }));
        }
        const auto done = device.recv(first.data(), 3, type, 0, {}, {}).and_then([&] {
            return device.send(second.data(), 4, type, 0, {}, {});
        });
        const auto hello = group.recv(0);
        return !done                                                           ? Outcome{done.error()}
               : first == of_rank(0, 3) && hello && text_of(*hello) == "hello" ? Outcome{}
                                                                               : wrong("message");
    });
    REQUIRE_FALSE(outcomes[0]);
    REQUIRE_FALSE(outcomes[1]);
}

TEST_CASE("sizes that differ are found before NCCL, which would not notice, is called")
{
    FakeNccl fake;
    const auto groups = nccl_groups(3);
    const int before = fake.started();
    const auto outcomes = play(groups, [](ProcessGroup& group, DeviceCollectives& device) {
        Floats elements(group.rank() == 1 ? 8 : 4);
        return outcome_of(
            device.all_reduce(elements.data(), elements.size(), ElementType::float32, ReduceOp::sum, {}, {}));
    });
    for (const auto& outcome : outcomes) {
        bool is_named = false;
        for (const auto& size : cause_of<SizeMismatch>(outcome).sizes) {
            is_named |= size.rank.value == 1 && size.bytes == 32;
        }
        REQUIRE(is_named);
        REQUIRE_THAT(outcome->message, ContainsSubstring("all_reduce on the device in group default, epoch 1"));
    }
    REQUIRE(fake.started() == before);
}

TEST_CASE("calls that differ otherwise are found, too, also when only one of them is on the device")
{
    static Floats memory(64);
    static const auto type = ElementType::float32;
    using Function = std::function<Result<void>(ProcessGroup&, DeviceCollectives&)>;
    const auto gather_at = [](std::uint32_t root, ElementType of, std::size_t count) -> Function {
        return [=](ProcessGroup& group, DeviceCollectives& device) {
            Floats input(4);
            Floats output(16);
            return device.gather(input.data(), output.data(), count, of, root, {}, {}).and_then([&] {
                return group.barrier();
            });
        };
    };
    const auto reduce = [](ReduceOp op) -> Function {
        return [=](ProcessGroup&, DeviceCollectives& device) {
            Floats own(4);
            return device.all_reduce(own.data(), 4, type, op, {}, {});
        };
    };
    const Function device_barrier = [](ProcessGroup&, DeviceCollectives& device) { return device.barrier({}, {}); };
    const Function barrier = [](ProcessGroup& group, DeviceCollectives&) { return group.barrier(); };
    const Function send = [](ProcessGroup& group, DeviceCollectives& device) {
        return device.send(memory.data(), 4, type, 1 - group.rank(), {}, {});
    };
    const std::vector<std::pair<Function, Function>> pairs{
        {gather_at(0, type, 4), gather_at(1, type, 4)},
        {gather_at(0, type, 4), gather_at(0, ElementType::int32, 4)},
        {reduce(ReduceOp::sum), reduce(ReduceOp::max)},
        {reduce(ReduceOp::sum), device_barrier},
        {device_barrier, barrier},
        {send, send},
    };
    FakeNccl fake;
    for (const auto& [first, second] : pairs) {
        const auto groups = nccl_groups(2);
        const int before = fake.started();
        const auto outcomes =
            play(groups, [&, &first = first, &second = second](ProcessGroup& group, DeviceCollectives& device) {
                return outcome_of(group.rank() == 0 ? first(group, device) : second(group, device));
            });
        cause_of<OperationMismatch>(outcomes[0]);
        cause_of<OperationMismatch>(outcomes[1]);
        REQUIRE(fake.started() == before);
    }
}

TEST_CASE("a call on device memory that cannot work breaks nothing")
{
    FakeNccl fake;
    const auto outcomes = play(nccl_groups(2), [](ProcessGroup& group, DeviceCollectives& device) -> Outcome {
        Floats memory(8);
        const auto type = ElementType::float32;
        const std::vector<Result<void>> refused{
            device.broadcast(memory.data(), 8, type, 2, {}, {}),
            device.broadcast(nullptr, 8, type, 0, {}, {}),
            device.broadcast(memory.data(), 8, static_cast<ElementType>(77), 0, {}, {}),
            device.all_reduce(memory.data(), 8, ElementType::int32, ReduceOp::avg, {}, {}),
            device.all_reduce(memory.data(), std::size_t{1} << 62, type, ReduceOp::sum, {}, {}),
            device.gather(memory.data(), nullptr, 4, type, group.rank(), {}, {}),
            device.send(memory.data(), 4, type, group.rank(), {}, {}),
            device.recv(memory.data(), 4, type, 7, {}, {}),
        };
        for (const auto& each : refused) {
            if (each || !std::holds_alternative<InvalidArgument>(each.error().cause)) {
                return wrong(each ? "accepted" : each.error().message);
            }
        }
        return outcome_of(device.barrier({}, {}));
    });
    REQUIRE_FALSE(outcomes[0]);
    REQUIRE_FALSE(outcomes[1]);
}

TEST_CASE("an abort from another thread ends an operation that NCCL is at, on all ranks")
{
    FakeNccl fake;
    const auto groups = nccl_groups(2);
    const int before = fake.started();
    fake.set_fault(fake_nccl_stalls);
    std::thread aborter([&] {
        while (fake.started() < before + 2) {
            std::this_thread::yield();
        }
        groups[0]->abort("no more time");
    });
    const auto outcomes =
        play(groups, [](ProcessGroup&, DeviceCollectives& device) { return outcome_of(device.barrier({}, {})); });
    aborter.join();
    for (const auto& outcome : outcomes) {
        cause_of<Aborted>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("rank 0 aborted it: no more time"));
    }
    for (const auto& outcome :
         play(groups, [](ProcessGroup&group, DeviceCollectives&) { return outcome_of(group.barrier()); })) {
        cause_of<Aborted>(outcome);
    }
}

TEST_CASE("NCCL's deadline on one rank ends the epoch on the others, which would have waited longer")
{
    FakeNccl fake;
    const auto groups = nccl_groups(3);
    fake.set_fault(fake_nccl_stalls);
    const auto outcomes = play(groups, [](ProcessGroup& group, DeviceCollectives& device) {
        return outcome_of(device.barrier({}, group.rank() == 1 ? 200ms : patience));
    });
    for (const auto& outcome : outcomes) {
        cause_of<TimedOut>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("rank 1") && ContainsSubstring("NCCL does not tell"));
    }
}

TEST_CASE("a rank that does not come to an operation on device memory is named, as NCCL cannot")
{
    FakeNccl fake;
    const auto outcomes = play(nccl_groups(3), [](ProcessGroup& group, DeviceCollectives& device) {
        return group.rank() == 1 ? Outcome{} : outcome_of(device.barrier({}, 400ms));
    });
    REQUIRE(cause_of<TimedOut>(outcomes[0]).missing == std::vector<Rank>{{1}});
    REQUIRE(cause_of<TimedOut>(outcomes[2]).missing == std::vector<Rank>{{1}});
}

TEST_CASE("a failure of NCCL ends the epoch on all ranks, and the next epoch works")
{
    FakeNccl fake;
    for (const auto fault : {fake_nccl_network_error, fake_nccl_internal_error}) {
        auto groups = nccl_groups(2);
        const int before = fake.started();
        fake.set_fault(fake_nccl_stalls);
        std::thread spoiler([&] {
            while (fake.started() < before + 2) {
                std::this_thread::yield();
            }
            fake.set_fault(fault);
        });
        const auto outcomes =
            play(groups, [](ProcessGroup&, DeviceCollectives& device) { return outcome_of(device.barrier({}, {})); });
        spoiler.join();
        fake.set_fault(fake_nccl_works);
        for (const auto& outcome : outcomes) {
            if (fault == fake_nccl_network_error) {
                cause_of<PeerLost>(outcome);
            } else {
                cause_of<Aborted>(outcome);
            }
            REQUIRE_THAT(outcome->message, ContainsSubstring("NCCL"));
        }
        groups = nccl_groups(2, nccl_options(patience, 2));
        for (const auto& outcome : play(
                 groups, [](ProcessGroup&, DeviceCollectives& device) { return outcome_of(device.barrier({}, {})); })) {
            REQUIRE_FALSE(outcome);
        }
    }
}
