// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/device_request.hpp"

#include "tests/catch.hpp"

using namespace sdfleet;
using namespace sdfleet::agent::devices;

TEST_CASE("--devices is a list of the processor and of GPUs, each for one actor or several")
{
    const auto terms = [](const char* text) { return parse_device_request(text)->terms; };
    using Terms = std::vector<DeviceTerm>;

    REQUIRE(terms("cpu") == Terms{Processor{1}});
    REQUIRE(terms("cpu*3,cpu") == Terms{Processor{3}, Processor{1}});
    REQUIRE(terms("cuda") == Terms{EveryGpu{1}});
    REQUIRE(terms("cuda*2") == Terms{EveryGpu{2}});
    REQUIRE(terms("cuda:7") == Terms{OneGpu{7, 1}});
    REQUIRE(terms("cuda:0*2") == Terms{OneGpu{0, 2}});
    REQUIRE(terms("cuda:0,2,3*4,cuda:5,cpu") ==
            Terms{OneGpu{0, 1}, OneGpu{2, 1}, OneGpu{3, 4}, OneGpu{5, 1}, Processor{1}});
}

TEST_CASE("auto leaves the choice to us")
{
    const auto request = parse_device_request("auto");

    REQUIRE(request->is_automatic);
    REQUIRE(request->concerns_gpus());
    REQUIRE_FALSE(parse_device_request("cpu")->is_automatic);
}

TEST_CASE("GPUs are looked for only when a request concerns them")
{
    REQUIRE_FALSE(parse_device_request("cpu*2,cpu")->concerns_gpus());
    REQUIRE(parse_device_request("cpu,cuda:0")->concerns_gpus());
    REQUIRE(parse_device_request("cuda")->concerns_gpus());
}

TEST_CASE("what is no device is a usage error that quotes it")
{
    const auto* text = GENERATE("gpu", "auto,cpu", "cpu,", ",cpu", "cpu*0", "cpu*", "cpu*x", "cpu*-1", "cpu*1*2",
                                "cuda:", "cuda:x", "cuda:-1", "cuda:0*0", "cuda:0,x", "cuda:0,", "cuda,0", "cpu,1",
                                "CUDA:0", "cuda:99999999999999999999", " cpu");
    CAPTURE(text);

    const auto request = parse_device_request(text);

    REQUIRE_FALSE(request);
    REQUIRE(request.error().code == base::ExitCode::usage);
    REQUIRE(request.error().message.find("is no device; use auto") != std::string::npos);
}

TEST_CASE("an empty list is a usage error of its own")
{
    REQUIRE(parse_device_request("").error().code == base::ExitCode::usage);
}
