// SPDX-License-Identifier: Apache-2.0
// The reader over a double of the driver's library (nvml_double.cpp).
#include "agent/devices/nvml_reader.hpp"

#include "tests/catch.hpp"

#include <cstdlib>

using namespace sdfleet::agent::devices;

namespace {

GpuInventory read(const char* machine)
{
    ::setenv("SDFLEET_NVML_DOUBLE", machine, 1);
    return read_gpus(SDFLEET_NVML_DOUBLE_FILE);
}

} // namespace

TEST_CASE("GPUs are read with their names, sizes and modes")
{
    const auto inventory = read(R"({"gpus": [
        {"uuid": "GPU-a", "name": "NVIDIA H100 80GB HBM3", "memory_bytes": 85520809984, "compute_mode": 0},
        {"uuid": "GPU-b", "name": "NVIDIA L4", "memory_bytes": 24152899584, "compute_mode": 3}]})");

    REQUIRE(inventory.gpus ==
            std::vector<Gpu>{{.uuid = "GPU-a", .name = "NVIDIA H100 80GB HBM3", .memory_bytes = 85520809984},
                             {.uuid = "GPU-b",
                              .name = "NVIDIA L4",
                              .memory_bytes = 24152899584,
                              .compute_mode = ComputeMode::exclusive}});
    REQUIRE(inventory.has_driver);
    REQUIRE(inventory.reason.empty());
}

TEST_CASE("a GPU in MIG mode has its instances, empty places left out")
{
    const auto inventory = read(R"({"gpus": [{"uuid": "GPU-a", "name": "NVIDIA A100",
        "mig": [null, {"uuid": "MIG-1", "name": "NVIDIA A100 MIG 1g.5gb", "memory_bytes": 5}, {"uuid": "MIG-2"}]}]})");

    REQUIRE(inventory.gpus.at(0).is_in_mig_mode);
    REQUIRE(inventory.gpus.at(0).instances ==
            std::vector<MigInstance>{{"MIG-1", "NVIDIA A100 MIG 1g.5gb", 5}, {"MIG-2", "", 0}});
}

TEST_CASE("what is wrong with a GPU's memory is read where the driver tells")
{
    const auto inventory = read(R"({"gpus": [{"uuid": "GPU-a", "remap_failed": true, "ecc_uncorrected": 3},
        {"uuid": "GPU-b", "remap_pending": true, "compute_mode": 2}, {"uuid": "GPU-c"}]})");

    REQUIRE(inventory.gpus.at(0).has_failed_to_remap);
    REQUIRE_FALSE(inventory.gpus[0].waits_for_remap);
    REQUIRE(inventory.gpus[0].uncorrected_errors == 3);
    REQUIRE(inventory.gpus.at(1).waits_for_remap);
    REQUIRE(inventory.gpus[1].compute_mode == ComputeMode::prohibited);
    REQUIRE(inventory.gpus.at(2) == Gpu{.uuid = "GPU-c"});
}

TEST_CASE("a GPU that does not answer is there with its error")
{
    const auto inventory = read(R"({"gpus": [{"error": 15}, {"uuid": "GPU-b"}]})");

    REQUIRE(inventory.gpus == std::vector<Gpu>{{.error = "GPU is lost"}, {.uuid = "GPU-b"}});
}

TEST_CASE("a driver that does not answer has no GPUs, and says why")
{
    REQUIRE(read(R"({"init": 18})") ==
            GpuInventory{{}, "the NVIDIA driver does not answer: Driver/library version mismatch", true});
    REQUIRE(read(R"({"init": 999})").reason == "the NVIDIA driver does not answer: error 999");
    REQUIRE(read(R"({"count_error": 999})").reason == "the NVIDIA driver does not say which GPUs there are: error 999");
    REQUIRE(read("{}") == GpuInventory{{}, "the NVIDIA driver has no GPU", true});
}

TEST_CASE("without the library there are no GPUs, and with another library neither")
{
    const auto nowhere = read_gpus("libsdfleet-no-such-library.so.1");
    REQUIRE(nowhere.gpus.empty());
    REQUIRE(nowhere.reason.find("no libsdfleet-no-such-library.so.1") != std::string::npos);

    REQUIRE(read_gpus("libc.so.6").reason == "libc.so.6 is too old, or not NVIDIA's");
}
