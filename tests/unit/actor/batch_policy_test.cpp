// SPDX-License-Identifier: Apache-2.0
#include "actor/batch_policy.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::actor;
using namespace std::chrono_literals;

namespace {

using Indices = std::vector<std::size_t>;

constexpr auto patience = 2'000ms;
const BatchPolicy policy(patience);

BatchPolicy::Time at(std::chrono::milliseconds time)
{
    return BatchPolicy::Time(time);
}

std::vector<BatchPolicy::Waiting> arrived_at_0(const std::vector<std::string>& keys)
{
    std::vector<BatchPolicy::Waiting> waiting;
    for (const auto& key : keys) {
        waiting.push_back({key, at(0ms)});
    }
    return waiting;
}

} // namespace

TEST_CASE("whoever waited longest opens the next batch, whatever its key")
{
    REQUIRE(policy.joiners({}, arrived_at_0({"b", "a", "a"}), at(0ms)) == Indices{0});
    REQUIRE(policy.joiners({}, {}, at(0ms)).empty());
}

TEST_CASE("items of the batch's key join in the order of arrival, as many as there is room for")
{
    const auto waiting = arrived_at_0({"a", "a", "a"});

    REQUIRE(policy.joiners(BatchPolicy::OpenBatch{"a", 2}, waiting, at(0ms)) == Indices{0, 1});
    REQUIRE(policy.joiners(BatchPolicy::OpenBatch{"a", 9}, waiting, at(0ms)) == Indices{0, 1, 2});
    REQUIRE(policy.joiners(BatchPolicy::OpenBatch{"a", 0}, waiting, at(0ms)).empty());
}

TEST_CASE("an item that fits the batch passes one that does not, for a while")
{
    const auto waiting = arrived_at_0({"a", "b", "a"});
    const BatchPolicy::OpenBatch batch{"a", 4};

    REQUIRE(policy.joiners(batch, waiting, at(patience - 1ms)) == Indices{0, 2});
    REQUIRE(policy.joiners(batch, waiting, at(patience)) == Indices{0});
}

TEST_CASE("however many items of one key keep coming, another key has its turn")
{
    std::vector<BatchPolicy::Waiting> waiting{{"b", at(0ms)}};
    std::size_t in_batch = 1;
    auto now = 0ms;

    // A step every 100 ms; each item takes ten, and another one arrives with each step.
    for (int step = 0; in_batch > 0; ++step) {
        REQUIRE(step < 31); // the patience, and one item from its beginning to its end
        waiting.push_back({"a", at(now)});
        const auto joining = policy.joiners(BatchPolicy::OpenBatch{"a", 4 - in_batch}, waiting, at(now));
        for (auto it = joining.rbegin(); it != joining.rend(); ++it) {
            waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(*it));
            ++in_batch;
        }
        now += 100ms;
        in_batch -= step % 10 == 9 ? in_batch : 0; // those that joined are through by then
    }

    REQUIRE(waiting[policy.joiners({}, waiting, at(now)).front()].key == "b");
}

TEST_CASE("what goes alone is passed by nobody, and joined by nobody")
{
    REQUIRE(policy.joiners(BatchPolicy::OpenBatch{"a", 4}, arrived_at_0({"", "a"}), at(0ms)).empty());
    REQUIRE(policy.joiners(BatchPolicy::OpenBatch{"", 4}, arrived_at_0({"", "a"}), at(0ms)).empty());
}
