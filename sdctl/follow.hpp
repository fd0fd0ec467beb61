// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/client.hpp"

#include <chrono>
#include <functional>

namespace sdfleet::sdctl {

/// Calls `on_changes` with every change of the job until it is over; returns its last summary. Ends early with the error
/// of the client or of `on_changes`. `wait` bounds the time between two calls.
base::Result<proto::JobSummary>
follow_job(client::Client& client, const proto::JobId& job_id, std::chrono::milliseconds wait,
           const std::function<base::Result<void>(const proto::JobChanges&)>& on_changes);

/// Time since the program's first call, for displays.
std::chrono::milliseconds now_for_display();

/// 4 for a job that ended failed or cancelled, else 0.
base::ExitCode exit_code_of(proto::JobState state);

} // namespace sdfleet::sdctl
