// SPDX-License-Identifier: Apache-2.0
#include "sdctl/bench/pinger.hpp"

#include <memory>
#include <utility>

namespace sdfleet::sdctl::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto interval = 20ms;

} // namespace

base::Result<std::unique_ptr<Pinger>> Pinger::start(const BenchFleet& fleet)
{
    auto client = fleet.connect();
    if (!client) {
        return tl::unexpected(std::move(client.error()));
    }
    return std::unique_ptr<Pinger>(new Pinger(std::move(*client)));
}

Pinger::Pinger(client::Client client) : client_(std::move(client)), thread_([this] { run(); }) {}

Pinger::~Pinger()
{
    is_stopping_ = true;
    thread_.join();
}

void Pinger::run()
{
    while (!is_stopping_) {
        const auto begin = Clock::now();
        const auto answer = client_.list_jobs({1});
        const auto taken = Clock::now() - begin;
        {
            const std::scoped_lock lock(mutex_);
            if (!answer) {
                fault_ = answer.error();
                is_stopping_ = true;
            }
            samples_.push_back(taken);
        }
        ++rounds_;
        rounds_.notify_all();
        std::this_thread::sleep_for(interval);
    }
}

base::Result<Quantiles> Pinger::take()
{
    const auto rounds = rounds_.load();
    rounds_.wait(rounds); // the question that is under way now, or the next one, belongs to what was just done
    const std::scoped_lock lock(mutex_);
    if (fault_) {
        return tl::unexpected(*fault_);
    }
    return Quantiles::of(std::exchange(samples_, {}));
}

} // namespace sdfleet::sdctl::bench
