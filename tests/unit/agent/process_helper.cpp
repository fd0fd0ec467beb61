// SPDX-License-Identifier: Apache-2.0
// The child of the process tests.
//   exit CODE        ends at once
//   wait FIFO        dies with its parent; writes its process id to FIFO and waits for a signal
//   stubborn FIFO    the same, and ignores SIGTERM
//   parent FIFO      starts `wait FIFO` as a child of its own and waits
#include "agent/process/child_process.hpp"
#include "base/die_with_parent.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include <unistd.h>

int main(int argc, char** argv)
{
    if (!sdfleet::base::die_with_parent() || argc != 3) {
        return 99;
    }
    const std::string what = argv[1];
    if (what == "exit") {
        return std::atoi(argv[2]);
    }
    boost::asio::io_context io;
    tl::expected<sdfleet::agent::ChildProcess, sdfleet::base::Error> child = tl::unexpected(sdfleet::base::Error{});
    if (what == "parent") {
        child = sdfleet::agent::ChildProcess::spawn(io, {argv[0], {"wait", argv[2]}, {}});
    } else {
        if (what == "stubborn") {
            std::signal(SIGTERM, SIG_IGN);
        }
        std::ofstream(argv[2]) << ::getpid() << std::endl;
    }
    for (;;) {
        ::pause();
    }
}
