// SPDX-License-Identifier: Apache-2.0
#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <optional>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
using namespace std::chrono_literals;

namespace {

using Outcome = std::optional<Error>;

template <class T>
Outcome outcome_of(const Result<T>& result)
{
    return result ? Outcome{} : Outcome{result.error()};
}

/// What the function gives on each of these ranks.
std::vector<Outcome> run(std::vector<ProcessGroup>& groups, const std::function<Outcome(ProcessGroup&)>& function)
{
    return on_ranks<Outcome>(static_cast<std::uint32_t>(groups.size()),
                             [&](std::uint32_t rank) { return function(groups[rank]); });
}

template <class CauseType>
const CauseType& cause_of(const Outcome& outcome)
{
    REQUIRE(outcome);
    INFO(outcome->message);
    REQUIRE(std::holds_alternative<CauseType>(outcome->cause));
    return std::get<CauseType>(outcome->cause);
}

const std::vector<std::function<Outcome(ProcessGroup&)>> operations_with_all{
    [](ProcessGroup& group) { return outcome_of(group.barrier(700ms)); },
    [](ProcessGroup& group) { return outcome_of(group.all_gather(Bytes(100'000), 700ms)); },
    [](ProcessGroup& group) {
        Bytes elements(400'000);
        return outcome_of(group.all_reduce(elements, ElementType::float32, ReduceOp::sum, 700ms));
    },
};

} // namespace

TEST_CASE("a rank that does not come is named by all who did, whatever they waited for")
{
    for (const auto& operation : operations_with_all) {
        for (const std::uint32_t absent : {0u, 2u}) {
            auto groups = make_groups(4);
            const auto outcomes =
                run(groups, [&](ProcessGroup& group) { return group.rank() == absent ? Outcome{} : operation(group); });
            for (std::uint32_t rank = 0; rank < 4; ++rank) {
                if (rank != absent) {
                    REQUIRE(cause_of<TimedOut>(outcomes[rank]).missing == std::vector<Rank>{{absent}});
                    REQUIRE_THAT(outcomes[rank]->message, ContainsSubstring("group default, epoch 1") &&
                                                              ContainsSubstring("rank " + std::to_string(absent)));
                }
            }
            // The epoch is over for the absent one, too.
            cause_of<TimedOut>(outcome_of(groups[absent].recv((absent + 1) % 4)));
        }
    }
}

TEST_CASE("after the first error everything is Aborted, and says what the error was")
{
    auto groups = make_groups(2);
    REQUIRE_FALSE(groups[0].barrier(100ms));
    const auto again = outcome_of(groups[0].barrier(60s));
    cause_of<Aborted>(again);
    REQUIRE_THAT(again->message, ContainsSubstring("rank 1 did not come"));
    cause_of<TimedOut>(outcome_of(groups[1].recv(0)));
    cause_of<Aborted>(outcome_of(groups[1].recv(0)));
}

TEST_CASE("tensors of different sizes are found out, with the sizes of the ranks")
{
    auto groups = make_groups(3);
    const auto outcomes = run(groups, [](ProcessGroup& group) {
        Bytes elements(group.rank() == 1 ? 400'000 : 4'000); // for one of them a ring, for the others not
        return outcome_of(group.all_reduce(elements, ElementType::float32, ReduceOp::sum));
    });
    for (const auto& outcome : outcomes) {
        bool is_named = false;
        for (const auto& size : cause_of<SizeMismatch>(outcome).sizes) {
            is_named |= size.rank.value == 1 && size.bytes == 400'000;
        }
        REQUIRE(is_named);
    }
}

TEST_CASE("gather_into with unequal inputs is a size mismatch")
{
    auto groups = make_groups(2);
    const auto outcomes = run(groups, [](ProcessGroup& group) {
        Bytes input(group.rank() == 1 ? 7 : 5);
        Bytes output(group.rank() == 0 ? 10 : 0);
        return outcome_of(group.gather_into(input, output, 0, 5s)) ? outcome_of(group.barrier(5s))
                                                                   : outcome_of(group.barrier(5s));
    });
    cause_of<Aborted>(outcomes[0]);
    cause_of<SizeMismatch>(outcomes[1]);
}

TEST_CASE("different operations, roots, element types and reductions are found out")
{
    using Function = std::function<Outcome(ProcessGroup&)>;
    const auto all_reduce = [](ElementType type, ReduceOp op) -> Function {
        return [=](ProcessGroup& group) {
            Bytes elements(80);
            return outcome_of(group.all_reduce(elements, type, op));
        };
    };
    const Function barrier = [](ProcessGroup& group) { return outcome_of(group.barrier()); };
    const Function gather_at_0 = [](ProcessGroup& group) { return outcome_of(group.gather({}, 0)); };
    const std::vector<std::pair<Function, Function>> pairs{
        {barrier, gather_at_0},
        {barrier, [](ProcessGroup& group) { return outcome_of(group.all_gather({})); }},
        {[](ProcessGroup& group) { return outcome_of(group.all_gather({})); }, gather_at_0},
        {all_reduce(ElementType::float32, ReduceOp::sum), all_reduce(ElementType::int32, ReduceOp::sum)},
        {all_reduce(ElementType::float32, ReduceOp::sum), all_reduce(ElementType::float32, ReduceOp::max)},
    };
    for (const auto& [most, odd] : pairs) {
        auto groups = make_groups(3);
        const auto outcomes = run(groups, [&, &most = most, &odd = odd](ProcessGroup& group) {
            auto outcome = group.rank() == 2 ? odd(group) : most(group);
            return outcome ? outcome : outcome_of(group.barrier()); // who may go on finds out in the next operation
        });
        for (const auto& outcome : outcomes) {
            cause_of<OperationMismatch>(outcome);
            REQUIRE_THAT(outcome->message, ContainsSubstring("rank 2") || ContainsSubstring("rank 0"));
        }
    }
}

TEST_CASE("a call that cannot work breaks nothing")
{
    auto groups = make_groups(2);
    const auto outcomes = run(groups, [](ProcessGroup& group) -> Outcome {
        Bytes bytes(10);
        cause_of<InvalidArgument>(outcome_of(group.gather({}, 2)));
        cause_of<InvalidArgument>(outcome_of(group.broadcast(bytes, 99)));
        cause_of<InvalidArgument>(outcome_of(group.send({}, group.rank())));
        cause_of<InvalidArgument>(outcome_of(group.recv(5)));
        cause_of<InvalidArgument>(outcome_of(group.scatter({{}}, group.rank())));
        cause_of<InvalidArgument>(outcome_of(group.all_reduce(bytes, ElementType::float32, ReduceOp::sum)));
        cause_of<InvalidArgument>(outcome_of(group.all_reduce(bytes, ElementType::uint8, ReduceOp::avg)));
        cause_of<InvalidArgument>(outcome_of(group.all_gather_into(bytes, bytes)));
        return outcome_of(group.barrier());
    });
    REQUIRE((!outcomes[0] && !outcomes[1]));
}

TEST_CASE("an abort from another thread wakes whoever waits, on all ranks, at once")
{
    auto groups = make_groups(3);
    std::thread aborter;
    const auto outcomes = run(groups, [&](ProcessGroup& group) {
        if (group.rank() == 0) {
            aborter = std::thread([&] { group.abort("no more time"); });
        }
        return group.rank() == 2 ? outcome_of(group.recv(0)) : outcome_of(group.barrier());
    });
    aborter.join();
    for (const auto& outcome : outcomes) {
        cause_of<Aborted>(outcome);
        REQUIRE_THAT(outcome->message, ContainsSubstring("rank 0 aborted it: no more time"));
    }
}

TEST_CASE("an abort between operations ends the others' operations")
{
    auto groups = make_groups(2);
    std::thread waiting([&] { cause_of<Aborted>(outcome_of(groups[1].barrier())); });
    groups[0].abort("enough");
    waiting.join();
    cause_of<Aborted>(outcome_of(groups[0].barrier()));
}

TEST_CASE("who has left is missed by those who need it, and by nobody else")
{
    auto groups = make_groups(3);
    run(groups,
        [](ProcessGroup& group) { return group.rank() == 2 ? outcome_of(group.send(bytes_of("bye"), 0)) : Outcome{}; });
    groups.pop_back();

    std::thread other([&] { REQUIRE(groups[1].send(bytes_of("still here"), 0)); });
    REQUIRE(text_of(*groups[0].recv(1)) == "still here");
    REQUIRE(text_of(*groups[0].recv(2)) == "bye");
    other.join();

    const auto outcomes = run(groups, [](ProcessGroup& group) { return outcome_of(group.barrier()); });
    for (const auto& outcome : outcomes) {
        REQUIRE(cause_of<PeerLost>(outcome).ranks == std::vector<Rank>{{2}});
        REQUIRE_THAT(outcome->message, ContainsSubstring("rank 2 has left the group"));
    }
}
