// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/core/effect.hpp"
#include "agent/core/event.hpp"
#include "agent/process/child_process.hpp"

#include <compare>
#include <functional>
#include <map>
#include <memory>

#include <boost/asio/io_context.hpp>

namespace sdfleet::agent {

/// The processes of ranks and what they write, for the agent's shell. Not thread-safe; `on_event` is called from the calls
/// below and from the io_context.
class RankProcesses {
public:
    using OnEvent = std::function<void(Event)>;

    RankProcesses(boost::asio::io_context& io, std::size_t read_bytes, OnEvent on_event)
        : io_(io), read_bytes_(read_bytes), on_event_(std::move(on_event))
    {
    }

    void spawn(const SpawnRank& spawn);
    void end(const EndRank& end);
    void read(const ReadOutput& read);

private:
    struct Key {
        proto::ProgramRun run;
        proto::Rank rank;

        auto operator<=>(const Key&) const = default;
    };
    struct Process;

    void on_exit(const Key& key, const ExitStatus& status);
    void closed(const ReadOutput& read);

    boost::asio::io_context& io_;
    std::size_t read_bytes_;
    OnEvent on_event_;
    std::map<Key, std::shared_ptr<Process>> processes_; ///< until both streams have ended
};

} // namespace sdfleet::agent
