// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::sdctl {

/// From now on SIGINT, SIGTERM and SIGHUP are counted instead of ending the process, so that a command can put things in
/// order; the third ends it at once with code 130. A signal that was ignored (nohup) stays ignored.
void catch_interrupts();

/// True between a signal and its acknowledgement.
bool is_interrupted();

/// Lets calls wait again until the next signal: for what has to be done because of the first one.
void acknowledge_interrupt();

} // namespace sdfleet::sdctl
