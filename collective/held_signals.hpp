// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <csignal>

namespace sdfleet::collective {

/// Keeps SIGINT, SIGTERM and SIGHUP waiting while it lives, for this thread and those that it starts, so that what has to
/// be done before the program ends can be done. They are delivered when the object goes. Those that the program ignores
/// stay ignored.
class HeldSignals {
public:
    HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;
    ~HeldSignals();

    /// Readable when one of them waits.
    int descriptor() const { return descriptor_.get(); }
    /// One that waits, or 0.
    int pending() const;

private:
    sigset_t held_{};
    sigset_t before_{};
    base::UniqueFd descriptor_;
};

} // namespace sdfleet::collective
