// SPDX-License-Identifier: Apache-2.0
#include "base/test_fault.hpp"

#include "tests/catch.hpp"

#include <stdexcept>

using sdfleet::base::TestFaults;
using Action = TestFaults::Action;

TEST_CASE("a test's exit comes at the N-th visit of its point and of no other")
{
    TestFaults faults("store.commit:3", "");
    REQUIRE(faults.reach("store.commit") == Action::none);
    REQUIRE(faults.reach("store.committed") == Action::none);
    REQUIRE(faults.reach("store.commit") == Action::none);
    REQUIRE(faults.reach("store.commit") == Action::exit);
}

TEST_CASE("a test's failure lasts as long as it says, then the step works again")
{
    TestFaults faults("", "file.sync:2:2");
    REQUIRE(faults.reach("file.sync") == Action::none);
    REQUIRE(faults.reach("file.sync") == Action::fail);
    REQUIRE(faults.reach("file.sync") == Action::fail);
    REQUIRE(faults.reach("file.sync") == Action::none);
}

TEST_CASE("without a count a step fails once, and without a rule never")
{
    TestFaults once("", "file.sync:1");
    REQUIRE(once.reach("file.sync") == Action::fail);
    REQUIRE(once.reach("file.sync") == Action::none);
    REQUIRE(TestFaults("", "").reach("file.sync") == Action::none);
}

TEST_CASE("a rule that cannot be read is refused, not ignored")
{
    for (const char* rule :
         {"file.sync", "file.sync:", "file.sync:0", "file.sync:x", ":1", "file.sync:1:2:3", "file.sync:1:"}) {
        CAPTURE(rule);
        REQUIRE_THROWS_AS(TestFaults("", rule), std::invalid_argument);
    }
    REQUIRE_THROWS_AS(TestFaults("file.sync:1:2", ""), std::invalid_argument); // one exit is all there is
}
