// SPDX-License-Identifier: Apache-2.0
#include "sdctl/interrupt.hpp"

#include "base/exit_code.hpp"

#include <array>
#include <atomic>
#include <csignal>

#include <unistd.h>

namespace sdfleet::sdctl {

namespace {

constexpr int patience_signals = 3;

std::atomic<int> signals_received = 0;
std::atomic<int> signals_acknowledged = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch it");

void count_signal(int /*number*/)
{
    if (++signals_received >= patience_signals) {
        ::_exit(base::to_int(base::ExitCode::interrupted));
    }
}

} // namespace

void catch_interrupts()
{
    for (const int number : std::array{SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};
        ::sigaction(number, nullptr, &before);
        if (before.sa_handler == SIG_IGN) {
            continue;
        }
        struct sigaction action {};
        action.sa_handler = count_signal;
        ::sigemptyset(&action.sa_mask);
        action.sa_flags = SA_RESTART;
        ::sigaction(number, &action, nullptr);
    }
    ::signal(SIGPIPE, SIG_IGN); // a reader of our results that leaves must not stop the work
}

bool is_interrupted()
{
    return signals_received > signals_acknowledged;
}

void acknowledge_interrupt()
{
    signals_acknowledged = signals_received.load();
}

} // namespace sdfleet::sdctl
