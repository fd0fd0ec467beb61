// SPDX-License-Identifier: Apache-2.0
#include "collective/rank_process.hpp"

#include "base/pidfd.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

namespace sdfleet::collective {

namespace {

/// What posix_spawn is told; freed with the object.
class SpawnSettings {
public:
    SpawnSettings()
    {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);

        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::posix_spawnattr_init(&attributes_);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        ::posix_spawnattr_setflags(
            &attributes_, static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings()
    {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }

    const posix_spawn_file_actions_t* actions() const { return &actions_; }
    const posix_spawnattr_t* attributes() const { return &attributes_; }

private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

/// This process's, the program's name first.
std::vector<std::string> own_arguments()
{
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::vector<std::string> arguments;
    for (std::string argument; std::getline(file, argument, '\0');) {
        arguments.push_back(argument);
    }
    return arguments;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (auto& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace

tl::expected<RankProcess, std::string> RankProcess::start(std::vector<std::string> environment)
{
    auto arguments = own_arguments();
    const SpawnSettings settings;
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, "/proc/self/exe", settings.actions(), settings.attributes(),
                                    pointers_to(arguments).data(), pointers_to(environment).data());
    if (error != 0) {
        return tl::unexpected(std::string(std::strerror(error)));
    }
    // The number cannot be another process's yet: only we could have reaped it.
    base::UniqueFd pidfd(base::open_pidfd(pid));
    if (!pidfd) {
        const int reason = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return tl::unexpected(std::string(std::strerror(reason)) + " (Linux 5.4 or later is needed)");
    }
    return RankProcess(std::move(pidfd));
}

RankProcess::~RankProcess()
{
    if (pidfd_ && !status_) {
        signal(SIGKILL);
        reap();
    }
}

void RankProcess::signal(int number)
{
    if (!status_) {
        base::send_signal(pidfd_.get(), number);
    }
}

base::ExitStatus RankProcess::reap()
{
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
    if (info.si_code == CLD_EXITED) {
        status_ = base::ExitedWith{info.si_status};
    } else {
        status_ = base::KilledBy{info.si_status};
    }
    return *status_;
}

} // namespace sdfleet::collective
