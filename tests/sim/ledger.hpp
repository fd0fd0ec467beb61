// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "coordinator/core/effects.hpp"
#include "coordinator/core/options.hpp"
#include "tests/sim/durable_state.hpp"

#include <map>
#include <set>

namespace sdfleet::sim {

/// What was promised about jobs and items, and whether it is kept (I1, I2, I5, I6): compares what leaves the coordinator,
/// and what comes to the disk, with what is there and with what was said before.
class Ledger {
public:
    Ledger(const DurableState& disk, const coordinator::Options& options) : disk_(disk), options_(options) {}

    /// A client is about to submit this.
    void expect(const proto::JobId& id, const proto::JobSpec& spec) { specs_.emplace(id, spec); }

    void coordinator_starts() { given_.clear(); }
    void coordinator_hears(const proto::Message& message);
    void leaves(const coordinator::Send& send);
    void coordinator_decides(const coordinator::Effects& effects);
    void becomes_durable(const coordinator::StoreOperation& operation);
    void check_artifacts() const;
    void check_end() const;
    bool is_forgotten(const proto::JobId& id) const { return forgotten_.contains(id); }
    std::size_t accepted_results() const { return accepted_.size(); }

private:
    void on(const proto::Assign& assign) { given_[{assign.job_id, assign.index}].insert(assign.attempt_id); }
    void on(const proto::Submitted& submitted);
    void on(const proto::JobCancelled& cancelled);
    void on(const proto::ResultAck& ack);
    void on(const proto::JobChanges& changes);
    void on(const proto::JobDetail& detail);
    static void on(const auto&) {}

    void check(const coordinator::InsertJob& insert) const;
    void check(const coordinator::SettleItems& settle) const;
    void check(const coordinator::ForgetJobs& forget) const;
    static void check(const auto&) {}

    void told(const proto::JobId& job, const proto::ItemReport& report);
    void check_outcome(const proto::ItemId& id, const coordinator::ItemOutcome& outcome) const;
    void check_failure(const proto::ItemId& id, const coordinator::ItemOutcome& outcome) const;

    const DurableState& disk_;
    coordinator::Options options_;
    std::map<proto::JobId, proto::JobSpec> specs_;
    std::set<proto::JobId> acknowledged_;
    std::set<proto::JobId> forgotten_;
    std::map<proto::ItemId, proto::ItemState> told_;            ///< ends that a client was told
    std::map<proto::AttemptId, proto::ItemId> results_;         ///< that came in as done
    std::set<proto::AttemptId> failures_;                       ///< that came in as failed
    std::map<proto::ItemId, proto::AttemptId> accepted_;        ///< results acknowledged as accepted
    std::map<proto::ItemId, std::set<proto::AttemptId>> given_; ///< in the coordinator's present life
};

} // namespace sdfleet::sim
