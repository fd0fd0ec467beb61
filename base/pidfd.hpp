// SPDX-License-Identifier: Apache-2.0
// The system calls themselves: glibc 2.36 declares their wrappers without extern "C", so that C++ cannot link them.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace sdfleet::base {

/// A descriptor that names the process and becomes readable when it ends; -1 and errno on failure.
inline int open_pidfd(pid_t pid)
{
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

inline void send_signal(int pidfd, int signal)
{
    ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

} // namespace sdfleet::base
