// SPDX-License-Identifier: Apache-2.0
// One rank of bench/collective.py: measures barriers and gathers of the zmq backend. The environment is torchrun's.
//
//   collective_rank ROUNDS BYTES...     rank 0 prints {"barrier_us": [...], "gather_us": {"BYTES": [...]}}
//   collective_rank lose                waits in barriers; prints "ready", then {"noticed_at_ns": CLOCK_MONOTONIC}
#include "base/die_with_parent.hpp"
#include "collective/process_group.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

using namespace sdfleet::collective;

namespace {

using Clock = std::chrono::steady_clock;

template <class T>
void require(const Result<T>& result)
{
    if (!result) {
        std::cerr << result.error().message << '\n';
        std::exit(1);
    }
}

std::string list(const std::vector<double>& numbers)
{
    std::string text = "[";
    for (const auto number : numbers) {
        text += (text.size() == 1 ? "" : ", ") + std::to_string(number);
    }
    return text + "]";
}

/// Microseconds of each round, as this rank sees it.
template <class Function>
std::vector<double> measure(ProcessGroup& group, int rounds, bool is_barrier_between, const Function& function)
{
    std::vector<double> took;
    const int warm_up = rounds / 10 + 1;
    for (int round = -warm_up; round < rounds; ++round) {
        if (is_barrier_between) {
            require(group.barrier());
        }
        const auto begin = Clock::now();
        require(function());
        if (round >= 0) {
            took.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        }
    }
    return took;
}

int wait_for_a_loss(ProcessGroup& group)
{
    std::cout << "ready" << std::endl;
    while (group.barrier()) {
    }
    std::cout << "{\"noticed_at_ns\": " << Clock::now().time_since_epoch().count() << "}" << std::endl;
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    if (!sdfleet::base::die_with_parent() || argc < 2) {
        return 2;
    }
    auto group = init_process_group(Backend::zmq);
    require(group);
    if (std::string(argv[1]) == "lose") {
        return wait_for_a_loss(*group);
    }
    const int rounds = std::stoi(argv[1]);
    const auto barriers = measure(*group, rounds * 5, false, [&] { return group->barrier(); });
    std::string gathers;
    for (int i = 2; i < argc; ++i) {
        const std::vector<std::byte> own(std::stoul(argv[i]), static_cast<std::byte>(group->rank()));
        std::vector<std::byte> all(group->rank() == 0 ? own.size() * group->world_size() : 0);
        const auto took = measure(*group, rounds, true, [&] { return group->gather_into(own, all, 0); });
        gathers += (gathers.empty() ? "\"" : ", \"") + std::string(argv[i]) + "\": " + list(took);
    }
    if (group->rank() == 0) {
        std::cout << "{\"barrier_us\": " << list(barriers) << ", \"gather_us\": {" << gathers << "}}" << std::endl;
    }
    return 0;
}
