// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/coordinator_host.hpp"
#include "tests/sim/link.hpp"

#include <map>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// A client with one program: launches it, takes its output and checks that no word of it is missing or comes twice,
/// perhaps stops it, perhaps falls silent.
class ProgramClient {
public:
    ProgramClient(Environment& environment, CoordinatorHost& coordinator, const ProgramPlan& plan);
    ProgramClient(const ProgramClient&) = delete;
    ProgramClient& operator=(const ProgramClient&) = delete;

    void start();
    bool is_done() const { return stage_ == Stage::over; }
    std::string describe_waiting() const;
    Link& link() { return link_; }

private:
    enum class Stage { planned, launching, watching, stopping, over };

    void reconnect();
    void ask();
    void ask_later(Time delay);
    void send(const proto::Message& message, std::uint64_t correlation);
    void hear(const coordinator::Send& send);
    void on_changes(const proto::ProgramChanges& changes, const std::vector<proto::Blob>& blobs);
    void on_failure(const proto::RequestFailed& failure);
    void check(const proto::OutputChunk& chunk, std::string_view bytes);
    void check_end(const proto::ProgramChanges& changes) const;

    Environment& environment_;
    CoordinatorHost& coordinator_;
    const ProgramPlan& plan_;
    std::string name_;
    Link link_;
    Stage stage_ = Stage::planned;
    std::uint64_t connection_ = 0;
    std::uint64_t last_correlation_ = 0;
    std::uint64_t correlation_ = 0; ///< of the request under way
    proto::WatchProgram watch_;
    struct Reader {
        std::uint64_t epoch = 0;
        std::uint32_t next = 0;
        std::string rest; ///< of a word that was cut
    };
    std::map<std::uint32_t, Reader> readers_; ///< by rank
};

} // namespace sdfleet::sim
