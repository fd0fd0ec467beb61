// SPDX-License-Identifier: Apache-2.0
#include "nccl_story.hpp"

#include <csignal>
#include <string>

#include <spawn.h>
#include <sys/wait.h>

using namespace sdfleet::collective;

TEST_CASE("abort ends the group at once, and a second one does nothing")
{
    FakeNccl fake;
    Exchange exchange;
    auto group = join(fake, exchange, 0, 1);
    REQUIRE(group);

    group->abort();
    group->abort();

    REQUIRE(std::holds_alternative<Aborted>(group->barrier(60s).error().cause));
}

TEST_CASE("a process whose abort hangs kills itself when the patience is over")
{
    std::string arguments[] = {SDFLEET_NCCL_HELPER, "hang", SDFLEET_FAKE_NCCL};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
    pid_t pid = 0;
    REQUIRE(::posix_spawn(&pid, argv[0], nullptr, nullptr, argv, environ) == 0);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);

    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
}
