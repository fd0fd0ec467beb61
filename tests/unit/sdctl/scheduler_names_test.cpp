// SPDX-License-Identifier: Apache-2.0
// sdctl knows the schedulers without LibTorch; this holds its list and the pipeline's together.
#include "pipeline/scheduler_names.hpp"
#include "sdctl/job_options.hpp"

#include "tests/catch.hpp"

#include <algorithm>

TEST_CASE("sdctl offers the schedulers that the pipeline has")
{
    auto names = sdfleet::pipeline::scheduler_names();
    std::ranges::sort(names);

    const auto& offered = sdfleet::sdctl::scheduler_names;
    CHECK(names == std::vector<std::string>(offered.begin(), offered.end()));
}
