// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/visible_devices.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::agent::devices;

namespace {

const std::vector<Gpu> machine{
    {.uuid = "GPU-aa11", .name = "H100"},
    {.uuid = "GPU-aa22", .name = "H100"},
    {.uuid = "GPU-bb33", .name = "A100", .is_in_mig_mode = true, .instances = {{"MIG-1", "1g", 5}, {"MIG-2", "1g", 5}}},
};

std::vector<std::string> visible(std::optional<std::string_view> names)
{
    std::vector<std::string> uuids;
    for (const auto& device : visible_devices(machine, names)) {
        uuids.push_back(device.uuid);
    }
    return uuids;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("without the variable all devices are there; a GPU in MIG mode is its instances")
{
    REQUIRE(visible(std::nullopt) == Names{"GPU-aa11", "GPU-aa22", "MIG-1", "MIG-2"});
}

TEST_CASE("numbers and UUIDs choose, and say the order")
{
    REQUIRE(visible("1,0") == Names{"GPU-aa22", "GPU-aa11"});
    REQUIRE(visible("GPU-aa22, 0") == Names{"GPU-aa22", "GPU-aa11"});
    REQUIRE(visible("MIG-2") == Names{"MIG-2"});
    REQUIRE(visible("2") == Names{"MIG-1", "MIG-2"});
    REQUIRE(visible("GPU-bb33,0") == Names{"MIG-1", "MIG-2", "GPU-aa11"});
}

TEST_CASE("a UUID may be cut short while it means one device")
{
    REQUIRE(visible("GPU-aa2") == Names{"GPU-aa22"});
    REQUIRE(visible("GPU-aa") == Names{});
    REQUIRE(visible("GPU-") == Names{});
}

TEST_CASE("the list ends at the first name that is none, as in CUDA")
{
    REQUIRE(visible("0,-1,1") == Names{"GPU-aa11"});
    REQUIRE(visible("0,7,1") == Names{"GPU-aa11"});
    REQUIRE(visible("0,x,1") == Names{"GPU-aa11"});
    REQUIRE(visible("0,,1") == Names{"GPU-aa11"});
    REQUIRE(visible("GPU-cc,0") == Names{});
    REQUIRE(visible("") == Names{});
    REQUIRE(visible("NoDevFiles") == Names{});
}

TEST_CASE("a device that is named twice is one")
{
    REQUIRE(visible("0,GPU-aa11,1") == Names{"GPU-aa11", "GPU-aa22"});
}

TEST_CASE("a GPU that does not answer keeps its number, so that the others keep theirs")
{
    const std::vector<Gpu> gpus{{.error = "GPU is lost"}, {.uuid = "GPU-b"}};

    const auto devices = visible_devices(gpus, std::nullopt);

    REQUIRE(devices.size() == 2);
    REQUIRE(devices[0].diagnosis.health == Health::useless);
    REQUIRE(devices[1].uuid == "GPU-b");
}
