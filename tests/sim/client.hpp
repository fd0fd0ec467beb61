// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/sim/coordinator_host.hpp"
#include "tests/sim/link.hpp"

#include <optional>
#include <string>
#include <vector>

namespace sdfleet::sim {

/// A client with its jobs: submits each until it is acknowledged, perhaps cancels it, and watches it to its end. What is
/// not answered in time is asked again.
class Client {
public:
    Client(Environment& environment, CoordinatorHost& coordinator, Checker& checker, std::string name,
           const std::vector<JobPlan>& jobs);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void start();
    bool is_done() const;
    std::string describe_waiting() const;
    Link& link() { return link_; }

private:
    enum class Stage { planned, submitting, watching, cancelling, fetching, over };
    struct Job {
        const JobPlan* plan = nullptr;
        Stage stage = Stage::planned;
        std::uint64_t correlation = 0; ///< of the request under way
        std::uint64_t last_change = 0;
        bool wants_cancel = false;
        std::vector<proto::ItemReport> to_fetch;
    };

    void reconnect();
    void ask(Job& job);
    proto::Message request_of(const Job& job) const;
    void ask_later(Job& job, Time delay);
    void send(const proto::Message& message, std::uint64_t correlation);
    void hear(const coordinator::Send& send);
    void answer(Job& job, const coordinator::Send& send);
    void on_changes(Job& job, const proto::JobChanges& changes);
    void on_failure(Job& job, const proto::RequestFailed& failure);
    void on_artifact(Job& job, const coordinator::Send& send);

    Environment& environment_;
    CoordinatorHost& coordinator_;
    Checker& checker_;
    std::string name_;
    Link link_;
    std::vector<Job> jobs_;
    std::uint64_t connection_ = 0;
    std::uint64_t last_correlation_ = 0;
};

} // namespace sdfleet::sim
