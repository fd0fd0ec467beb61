// SPDX-License-Identifier: Apache-2.0
#include "collective/held_signals.hpp"

#include <pthread.h>
#include <sys/signalfd.h>

namespace sdfleet::collective {

namespace {

constexpr int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

bool is_ignored(int signal)
{
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

} // namespace

HeldSignals::HeldSignals()
{
    ::sigemptyset(&held_);
    for (const int signal : ending_signals) {
        if (!is_ignored(signal)) { // a signal that is held is not thrown away, even where it would be ignored
            ::sigaddset(&held_, signal);
        }
    }
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
    descriptor_ = base::UniqueFd(::signalfd(-1, &held_, SFD_CLOEXEC));
}

HeldSignals::~HeldSignals()
{
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int HeldSignals::pending() const
{
    sigset_t waiting;
    ::sigpending(&waiting);
    for (const int signal : ending_signals) {
        if (::sigismember(&held_, signal) == 1 && ::sigismember(&waiting, signal) == 1) {
            return signal;
        }
    }
    return 0;
}

} // namespace sdfleet::collective
