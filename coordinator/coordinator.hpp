// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "coordinator/settings.hpp"

#include <memory>
#include <string>

namespace sdfleet::coordinator {

/// The daemon: a core between sockets, disk and clock. Everything but the disk work runs on the thread that calls run().
class Coordinator {
public:
    /// Locks and reads the data folder and begins to listen. Fails with one line.
    static base::Result<std::unique_ptr<Coordinator>> open(Settings settings);

    virtual ~Coordinator() = default;

    /// With the port that was bound.
    virtual const std::string& endpoint() const = 0;

    /// ADDRESS:PORT of the monitoring, with the port that was bound; empty when it is off.
    virtual std::string http_address() const = 0;

    /// Until SIGINT, SIGTERM or stop(). What was given to the disk is finished before it returns.
    virtual void run() = 0;

    /// From any thread.
    virtual void stop() = 0;
};

} // namespace sdfleet::coordinator
