// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client/client.hpp"

namespace sdfleet::sdctl {

/// The job with all its items, asked for piece by piece.
base::Result<proto::JobDetail> get_whole_job(client::Client& client, const proto::JobId& job_id);

} // namespace sdfleet::sdctl
