// SPDX-License-Identifier: Apache-2.0
#include "agent/process/child_process.hpp"

#include "base/die_with_parent.hpp"
#include "base/pidfd.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sdfleet::agent {

namespace {

/// What posix_spawn is told; freed with the object.
class SpawnSettings {
public:
    explicit SpawnSettings(const Command& command)
    {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (!command.output.empty()) {
            constexpr mode_t owner_only = 0600;
            ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, command.output.c_str(),
                                               O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, owner_only);
        }
        if (command.stdout_fd >= 0) {
            ::posix_spawn_file_actions_adddup2(&actions_, command.stdout_fd, STDOUT_FILENO);
            ::posix_spawn_file_actions_adddup2(&actions_, command.stderr_fd, STDERR_FILENO);
        } else {
            ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
        }
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

/// Our environment with `changes` applied, as "NAME=value".
std::vector<std::string> environment_with(std::vector<std::pair<std::string, std::string>> changes)
{
    changes.emplace_back(base::parent_pid_variable, std::to_string(::getpid()));
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const auto is_same_name = [&](const auto& change) { return text.starts_with(change.first + "="); };
        if (std::none_of(changes.begin(), changes.end(), is_same_name)) {
            result.push_back(text);
        }
    }
    for (const auto& [name, value] : changes) {
        result.push_back(name + "=" + value);
    }
    return result;
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

struct ChildProcess::Impl : std::enable_shared_from_this<ChildProcess::Impl> {
    pid_t pid;
    boost::asio::posix::stream_descriptor descriptor; ///< a pidfd: readable when the process ended
    std::optional<ExitStatus> status;                 ///< set when it is reaped
    ExitHandler handler;

    Impl(boost::asio::io_context& io, pid_t pid_, int pidfd) : pid(pid_), descriptor(io, pidfd) {}

    void wait()
    {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [weak = weak_from_this()](const boost::system::error_code& error) {
                                  const auto self = weak.lock();
                                  if (!self || error || self->status) {
                                      return;
                                  }
                                  self->reap();
                                  std::exchange(self->handler, nullptr)(*self->status);
                              });
    }

    /// Blocks until the process ended.
    void reap()
    {
        siginfo_t info{};
        while (::waitid(P_PIDFD, static_cast<id_t>(descriptor.native_handle()), &info, WEXITED) != 0 &&
               errno == EINTR) {
        }
        if (info.si_code == CLD_EXITED) {
            status = ExitedWith{info.si_status};
        } else {
            status = KilledBy{info.si_status};
        }
    }

    bool ended_within(std::chrono::milliseconds patience)
    {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        for (;;) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            pollfd entry{descriptor.native_handle(), POLLIN, 0};
            const int ready = ::poll(&entry, 1, static_cast<int>(std::max<long>(left.count(), 0)));
            if (ready > 0 || left.count() <= 0) {
                return ready > 0;
            }
        }
    }
};

base::Result<ChildProcess> ChildProcess::spawn(boost::asio::io_context& io, const Command& command)
{
    std::vector<std::string> arguments{command.program.string()};
    arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
    auto environment = environment_with(command.environment);
    const SpawnSettings settings(command);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, command.program.c_str(), settings.actions(), settings.attributes(),
                                    pointers_to(arguments).data(), pointers_to(environment).data());
    if (error != 0) {
        return base::fail(base::ExitCode::failed,
                          "cannot start " + command.program.string() + ": " + std::strerror(error));
    }
    // The number cannot be another process's yet: only we could have reaped it.
    const int pidfd = base::open_pidfd(pid);
    if (pidfd < 0) {
        const int reason = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return base::fail(base::ExitCode::failed, "cannot watch " + command.program.string() + ": " +
                                                      std::strerror(reason) + " (Linux 5.4 or later is needed)");
    }
    return ChildProcess(std::make_shared<Impl>(io, pid, pidfd));
}

ChildProcess::ChildProcess(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept
{
    std::swap(impl_, other.impl_);
    return *this;
}

ChildProcess::~ChildProcess()
{
    if (impl_ && !impl_->status) {
        signal(SIGKILL);
        impl_->reap();
    }
}

pid_t ChildProcess::pid() const
{
    return impl_->pid;
}

void ChildProcess::on_exit(ExitHandler handler)
{
    impl_->handler = std::move(handler);
    impl_->wait();
}

void ChildProcess::signal(int number)
{
    if (!impl_->status) {
        base::send_signal(impl_->descriptor.native_handle(), number);
    }
}

ExitStatus ChildProcess::terminate(std::chrono::milliseconds patience)
{
    if (!impl_->status) {
        signal(SIGTERM);
        if (!impl_->ended_within(patience)) {
            signal(SIGKILL);
        }
        impl_->reap();
    }
    return *impl_->status;
}

} // namespace sdfleet::agent
