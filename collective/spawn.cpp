// SPDX-License-Identifier: Apache-2.0
#include "collective/spawn.hpp"

#include "base/die_with_parent.hpp"
#include "collective/core/spawn_path.hpp"
#include "collective/held_signals.hpp"
#include "collective/rank_process.hpp"
#include "collective/spawn_environment.hpp"
#include "proto/program_messages.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace sdfleet::collective {

namespace {

SpawnProgress progress_from_environment();

/// Made before main runs: a rank is to die with its parent from its first moments on.
SpawnProgress progress = progress_from_environment();

/// A rank whose main leaves without having come to its call must not look as if it had done its work.
void refuse_to_end_early()
{
    if (!progress.has_arrived()) {
        std::fputs("spawn: the program ended before it came to the call of spawn that this rank was made for\n",
                   stderr);
        std::_Exit(EXIT_FAILURE);
    }
}

SpawnProgress progress_from_environment()
{
    const char* text = std::getenv(spawn_path_variable);
    if (text == nullptr) {
        return SpawnProgress({});
    }
    const auto path = parse_spawn_path(text);
    if (!path) {
        std::fprintf(stderr, "spawn: cannot follow %s=%.100s\n", spawn_path_variable, text);
        std::_Exit(EXIT_FAILURE);
    }
    ::unsetenv(spawn_path_variable);
    if (!base::die_with_parent()) {
        std::_Exit(EXIT_FAILURE);
    }
    std::atexit(refuse_to_end_early);
    return SpawnProgress(*path);
}

/// What the function said, as an exit code; only 0 may become 0.
int exit_code_of(const RankFunction& function, std::uint32_t rank)
{
    try {
        const int result = function(rank);
        return result == 0 || (result & 0xff) != 0 ? result : EXIT_FAILURE;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %u: %s\n", rank, error.what());
        return EXIT_FAILURE;
    }
}

[[noreturn]] void be_a_rank(const RankFunction& function)
{
    std::exit(exit_code_of(function, progress.entered().rank)); // refuse_to_end_early sees whether this was the place
}

/// The ranks of one call, from their start until the last has ended.
class Ranks {
public:
    using Clock = std::chrono::steady_clock;

    Ranks(const HeldSignals& signals, std::chrono::milliseconds grace) : signals_(signals), grace_(grace) {}

    void add(RankProcess process) { processes_.push_back(std::move(process)); }

    /// Blocks. Ends the others as soon as one fails, or a signal comes.
    tl::expected<void, SpawnError> wait()
    {
        while (running_ranks() > 0) {
            wait_for_event();
            for (std::size_t rank = 0; rank < processes_.size(); ++rank) {
                reap_if_ended(static_cast<std::uint32_t>(rank));
            }
            if (const int signal = error_ ? 0 : signals_.pending()) {
                end_all({Interrupted{signal}, "spawn: interrupted by SIG" + std::string(::sigabbrev_np(signal))});
            }
            if (kill_at_ && Clock::now() >= *kill_at_) {
                signal_all(SIGKILL);
                kill_at_.reset();
            }
        }
        return error_ ? tl::expected<void, SpawnError>(tl::unexpected(*error_)) : tl::expected<void, SpawnError>();
    }

private:
    std::size_t running_ranks() const
    {
        return static_cast<std::size_t>(
            std::count_if(processes_.begin(), processes_.end(), [](const auto& process) { return !process.status(); }));
    }

    void wait_for_event()
    {
        std::vector<pollfd> entries;
        for (const auto& process : processes_) {
            entries.push_back({process.status() ? -1 : process.descriptor(), POLLIN, 0});
        }
        entries.push_back({error_ ? -1 : signals_.descriptor(), POLLIN, 0});
        int patience_ms = -1;
        if (kill_at_) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - Clock::now());
            patience_ms = static_cast<int>(std::clamp<long>(left.count(), 0, 3'600'000));
        }
        ::poll(entries.data(), entries.size(), patience_ms);
        ended_.assign(processes_.size(), false);
        for (std::size_t rank = 0; rank < processes_.size(); ++rank) {
            ended_[rank] = entries[rank].revents != 0;
        }
    }

    void reap_if_ended(std::uint32_t rank)
    {
        if (!ended_[rank]) {
            return;
        }
        const auto status = processes_[rank].reap();
        if (status == base::ExitStatus(base::ExitedWith{0}) || error_) {
            return;
        }
        const bool had_company = running_ranks() > 0;
        end_all({RankFailed{rank, status}, "spawn: rank " + std::to_string(rank) + " " + describe(status) +
                                               (had_company ? "; the other ranks were ended" : "")});
    }

    void end_all(SpawnError error)
    {
        error_ = std::move(error);
        kill_at_ = Clock::now() + grace_;
        signal_all(SIGTERM);
    }

    void signal_all(int number)
    {
        for (auto& process : processes_) {
            process.signal(number);
        }
    }

    const HeldSignals& signals_;
    std::chrono::milliseconds grace_;
    std::vector<RankProcess> processes_; ///< by rank
    std::vector<bool> ended_;            ///< by rank: since the last look
    std::optional<SpawnError> error_;    ///< the first
    std::optional<Clock::time_point> kill_at_;
};

SpawnError not_started(const std::string& why)
{
    return {NotStarted{}, "spawn: " + why};
}

tl::expected<void, SpawnError> start_and_wait(std::uint32_t nprocs, const SpawnOptions& options)
{
    if (nprocs == 0 || nprocs > proto::max_ranks) {
        return tl::unexpected(not_started("nprocs is " + std::to_string(nprocs) + "; it must be from 1 to " +
                                          std::to_string(proto::max_ranks)));
    }
    const auto meeting = choose_meeting();
    if (meeting.master_port == 0 || meeting.secret.empty()) {
        return tl::unexpected(not_started("this machine has no free port on 127.0.0.1, or no random numbers"));
    }
    const HeldSignals signals;
    Ranks ranks(signals, options.grace);
    for (std::uint32_t rank = 0; rank < nprocs; ++rank) {
        const auto path = to_text(progress.path_of_rank(rank));
        auto process = RankProcess::start(environment_of_rank(rank, nprocs, meeting, path));
        if (!process) {
            return tl::unexpected(not_started("cannot start rank " + std::to_string(rank) + ": " + process.error()));
        }
        ranks.add(std::move(*process));
    }
    return ranks.wait();
}

} // namespace

tl::expected<void, SpawnError> spawn(const RankFunction& function, std::uint32_t nprocs, const SpawnOptions& options)
{
    switch (progress.next_call()) {
    case SpawnPart::pass_by:
        return {};
    case SpawnPart::enter:
        be_a_rank(function);
    case SpawnPart::start_ranks:
        break;
    }
    return start_and_wait(nprocs, options);
}

bool is_spawned()
{
    return progress.has_path();
}

} // namespace sdfleet::collective
