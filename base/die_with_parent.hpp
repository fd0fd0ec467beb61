// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::base {

/// The environment variable in which a parent tells its child the parent's process id.
constexpr const char* parent_pid_variable = "SDFLEET_PARENT_PID";

/// To be called first thing in main, while there is one thread, by every program that a process of ours may start: from
/// then on the kernel kills this process when the parent dies, however it dies. Returns false when the parent is dead
/// already: then leave at once. Does nothing, and returns true, in a process that was started otherwise. The variable
/// is taken out of the environment, so that grandchildren are not concerned.
[[nodiscard]] bool die_with_parent();

} // namespace sdfleet::base
