// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::sdctl {

/// The whole program; returns its exit code.
int run_application(int argc, const char* const* argv);

} // namespace sdfleet::sdctl
