// SPDX-License-Identifier: Apache-2.0
#include "agent/ranks/rank_processes.hpp"

#include "agent/ranks/process_table.hpp"
#include "agent/ranks/rank_keeper.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <fcntl.h>
#include <unistd.h>

namespace sdfleet::agent {

namespace asio = boost::asio;

struct RankProcesses::Process {
    std::optional<ChildProcess> keeper; ///< until it has ended
    std::array<std::optional<asio::posix::stream_descriptor>, 2> streams;
    std::array<std::string, 2> buffers;

    bool is_over() const { return !keeper && !streams[0] && !streams[1]; }
};

namespace {

struct Pipe {
    base::UniqueFd read_end;
    base::UniqueFd write_end;
};

std::optional<Pipe> make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    return Pipe{base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

Command keeper_command(const SpawnRank& spawn, const Pipe& out, const Pipe& err)
{
    Command command;
    command.program = "/proc/self/exe";
    command.arguments = {std::string(keep_rank_argument), spawn.working_dir};
    command.arguments.insert(command.arguments.end(), spawn.command.begin(), spawn.command.end());
    command.environment = spawn.environment;
    command.stdout_fd = out.write_end.get();
    command.stderr_fd = err.write_end.get();
    return command;
}

proto::RankExit exit_of(const ExitStatus& status)
{
    proto::RankExit exit;
    exit.detail = describe(status);
    if (const auto* killed = std::get_if<KilledBy>(&status)) {
        exit.signal = static_cast<std::uint32_t>(killed->signal);
    } else {
        exit.code = static_cast<std::uint32_t>(std::get<ExitedWith>(status).code);
        if (exit.code == command_not_found || exit.code == command_not_executable) {
            exit.detail += exit.code == command_not_found ? " (no such command?)" : " (not executable?)";
        }
    }
    return exit;
}

std::size_t index_of(proto::OutputStream stream)
{
    return static_cast<std::size_t>(stream);
}

} // namespace

void RankProcesses::spawn(const SpawnRank& spawn)
{
    const auto fail = [&](const std::string& why) {
        on_event_(RankEnded{spawn.run, spawn.rank, {command_not_executable, 0, "was not started: " + why}});
    };
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) {
        fail(std::strerror(errno));
        return;
    }
    auto keeper = ChildProcess::spawn(io_, keeper_command(spawn, *out, *err));
    if (!keeper) {
        fail(keeper.error().message);
        return;
    }
    const Key key{spawn.run, spawn.rank};
    auto process = std::make_shared<Process>();
    process->streams[0].emplace(io_, out->read_end.release());
    process->streams[1].emplace(io_, err->read_end.release());
    process->keeper.emplace(std::move(*keeper));
    processes_[key] = process;
    on_event_(RankSpawned{spawn.run, spawn.rank, static_cast<std::uint64_t>(process->keeper->pid())});
    process->keeper->on_exit([this, key](const ExitStatus& status) { on_exit(key, status); });
}

void RankProcesses::on_exit(const Key& key, const ExitStatus& status)
{
    const auto found = processes_.find(key);
    if (found == processes_.end()) {
        return;
    }
    if (std::holds_alternative<KilledBy>(status)) { // perhaps it was the keeper itself that was killed
        for (const auto pid : processes_with({"SDFLEET_PROGRAM=" + key.run.program_id.value,
                                              "SDFLEET_EPOCH=" + std::to_string(key.run.epoch.value),
                                              "RANK=" + std::to_string(key.rank.value)})) {
            ::kill(pid, SIGKILL);
        }
    }
    found->second->keeper.reset();
    if (found->second->is_over()) {
        processes_.erase(found);
    }
    on_event_(RankEnded{key.run, key.rank, exit_of(status)});
}

void RankProcesses::end(const EndRank& end)
{
    const auto found = processes_.find({end.run, end.rank});
    if (found == processes_.end() || !found->second->keeper) {
        return;
    }
    switch (end.ending) {
    case Ending::ask:
        found->second->keeper->signal(SIGTERM);
        break;
    case Ending::kill:
        found->second->keeper->signal(SIGHUP);
        break;
    case Ending::clean_up:
        found->second->keeper->signal(SIGKILL);
        break;
    }
}

void RankProcesses::read(const ReadOutput& read)
{
    const auto found = processes_.find({read.run, read.rank});
    const auto index = index_of(read.stream);
    if (found == processes_.end() || !found->second->streams[index]) {
        on_event_(RankWrote{read.run, read.rank, read.stream, {}}); // it never started
        return;
    }
    const auto process = found->second;
    process->buffers[index].resize(read_bytes_);
    process->streams[index]->async_read_some(
        asio::buffer(process->buffers[index]),
        [this, weak = std::weak_ptr(process), read, index](const boost::system::error_code& error, std::size_t size) {
            const auto self = weak.lock();
            if (!self) {
                return;
            }
            if (error || size == 0) {
                closed(read);
                return;
            }
            on_event_(RankWrote{read.run, read.rank, read.stream, self->buffers[index].substr(0, size)});
        });
}

void RankProcesses::closed(const ReadOutput& read)
{
    const auto found = processes_.find({read.run, read.rank});
    if (found != processes_.end()) {
        found->second->streams[index_of(read.stream)].reset();
        if (found->second->is_over()) {
            processes_.erase(found);
        }
    }
    on_event_(RankWrote{read.run, read.rank, read.stream, {}});
}

} // namespace sdfleet::agent
