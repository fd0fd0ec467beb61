// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "net/curve.hpp"
#include "proto/blob.hpp"
#include "proto/messages.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::client {

struct ClientOptions {
    std::string endpoint; ///< "tcp://HOST:PORT" or "ipc://PATH"
    /// The member's key, for a coordinator that listens beyond its own machine.
    std::optional<net::CurveClient> key;
    /// How long the first hello may go unanswered. Programs promise their users an answer within 5 s, start and end included.
    std::chrono::milliseconds connect_patience{4'000};
    /// How long a request may go unanswered. A coordinator that comes back within it is greeted and asked again.
    std::chrono::milliseconds request_patience{60'000};
    /// Asked several times a second while a call waits; when it says true the call ends with ExitCode::interrupted.
    std::function<bool()> is_interrupted;
};

/// A connection to a coordinator for one thread: every call blocks until its answer is there, its patience is spent or
/// the user interrupts. All requests may be repeated without harm, so a call that meets a restart of the coordinator
/// says hello again and asks again; the caller sees only the answer.
///
/// Errors carry the exit code that a program should end with: unreachable (nobody answers), usage (the request holds a
/// bad value), interrupted, and failed for everything else that the coordinator turns down.
class Client {
public:
    static base::Result<Client> connect(ClientOptions options);

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// Grows with each start of the coordinator. Counters of an older epoch (JobChanges::last_change) mean nothing now.
    std::uint64_t epoch() const;

    /// Returns when the job is on the coordinator's disk.
    base::Result<proto::Submitted> submit(const proto::Submit& request);

    /// Waits up to `request.wait_ms` for a change. When the coordinator restarted since, the answer begins from the
    /// first change again.
    base::Result<proto::JobChanges> watch(const proto::WatchJob& request);

    base::Result<proto::JobDetail> get_job(const proto::GetJob& request);
    base::Result<proto::JobList> list_jobs(const proto::ListJobs& request);
    base::Result<proto::NodeList> list_nodes(const proto::ListNodes& request);
    base::Result<proto::ModelList> list_models(const proto::ListModels& request);
    base::Result<proto::NodeChanged> drain_node(const proto::NodeId& node_id, bool drain);
    base::Result<proto::NodeChanged> fence_node(const proto::NodeId& node_id);
    base::Result<proto::Status> status(const proto::GetStatus& request);
    base::Result<proto::JobCancelled> cancel(const proto::JobId& job_id);

    /// The program is in the coordinator's books, and has to be watched from now on.
    base::Result<proto::ProgramLaunched> launch(const proto::LaunchProgram& request);

    /// What a program's ranks wrote, with what became of it.
    struct ProgramNews {
        proto::ProgramChanges changes;
        proto::Blob output; ///< of changes.output, one chunk after the other
    };
    base::Result<ProgramNews> watch_program(const proto::WatchProgram& request);
    base::Result<proto::ProgramChanges> stop_program(const proto::StopProgram& request);

    /// The artifact's bytes, which have the hash asked for.
    base::Result<proto::Blob> fetch_artifact(const std::string& sha256);

private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::client
