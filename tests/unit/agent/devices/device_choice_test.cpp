// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/device_choice.hpp"

#include "tests/catch.hpp"

using namespace sdfleet;
using namespace sdfleet::agent::devices;

namespace {

Gpu gpu(const std::string& uuid)
{
    return {.uuid = uuid, .name = "H100", .memory_bytes = 80};
}

base::Result<DeviceChoice> choose(const std::string& text, const std::vector<Gpu>& gpus,
                                  std::optional<std::string_view> names = {})
{
    return choose_devices(*parse_device_request(text),
                          {gpus, gpus.empty() ? "there is no NVIDIA driver here" : "", !gpus.empty()}, names);
}

/// "cpu", "cuda:0=GPU-a"
std::vector<std::string> slots_of(const base::Result<DeviceChoice>& choice)
{
    std::vector<std::string> texts;
    for (const auto& slot : choice->slots) {
        texts.push_back(slot.device + (slot.uuid.empty() ? "" : "=" + slot.uuid));
    }
    return texts;
}

using Texts = std::vector<std::string>;

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("auto takes every GPU, with one actor on each")
{
    const auto choice = choose("auto", {gpu("GPU-a"), gpu("GPU-b")});

    REQUIRE(slots_of(choice) == Texts{"cuda:0=GPU-a", "cuda:1=GPU-b"});
    REQUIRE(choice->notes.empty());
}

TEST_CASE("auto takes the processor where there is no GPU, without a word")
{
    const auto choice = choose("auto", {});

    REQUIRE(slots_of(choice) == Texts{"cpu"});
    REQUIRE(choice->notes.empty());
}

TEST_CASE("auto takes the processor, and says why, where the driver has GPUs that cannot be had")
{
    const auto choice = choose("auto", {gpu("GPU-a")}, "");

    REQUIRE(slots_of(choice) == Texts{"cpu"});
    REQUIRE(choice->notes ==
            Texts{"CUDA_VISIBLE_DEVICES='' shows none of the 1 GPU(s) here: one actor draws on the processor"});
}

TEST_CASE("auto leaves out the GPUs that are not well, and says so; the others keep their numbers")
{
    auto broken = gpu("GPU-a");
    broken.has_failed_to_remap = true;
    auto closed = gpu("GPU-b");
    closed.compute_mode = ComputeMode::prohibited;

    const auto choice = choose("auto", {broken, closed, {.error = "GPU is lost"}, gpu("GPU-d")});

    REQUIRE(slots_of(choice) == Texts{"cuda:3=GPU-d"});
    REQUIRE(choice->notes.size() == 3);
    REQUIRE(choice->notes[0] ==
            "cuda:0 (H100, GPU-a) has a broken row of memory that it could not replace: it should be "
            "exchanged; it is left out");
    REQUIRE(contains(choice->notes[2], "cuda:2 does not answer: GPU is lost"));
}

TEST_CASE("past memory errors are told and do not keep a GPU from work")
{
    auto scarred = gpu("GPU-a");
    scarred.uncorrected_errors = 2;

    const auto choice = choose("auto", {scarred});

    REQUIRE(slots_of(choice) == Texts{"cuda:0=GPU-a"});
    REQUIRE(choice->notes ==
            Texts{"cuda:0 (H100, GPU-a) has had 2 uncorrectable memory error(s) since its driver was loaded"});
}

TEST_CASE("named GPUs are numbered as CUDA_VISIBLE_DEVICES lists them")
{
    const std::vector<Gpu> gpus{gpu("GPU-a"), gpu("GPU-b"), gpu("GPU-c")};

    REQUIRE(slots_of(choose("cuda:0,2", gpus)) == Texts{"cuda:0=GPU-a", "cuda:2=GPU-c"});
    REQUIRE(slots_of(choose("cuda:0", gpus, "2,1")) == Texts{"cuda:0=GPU-c"});
    REQUIRE(slots_of(choose("cuda", gpus, "GPU-b")) == Texts{"cuda:0=GPU-b"});
    REQUIRE(slots_of(choose("cpu,cuda:1*2", gpus)) == Texts{"cpu", "cuda:1=GPU-b", "cuda:1=GPU-b"});
    REQUIRE(slots_of(choose("cuda*2", gpus, "0")) == Texts{"cuda:0=GPU-a", "cuda:0=GPU-a"});
}

TEST_CASE("a GPU that is not there is a failure that says what is")
{
    const auto message_of = [](const auto& choice) {
        REQUIRE_FALSE(choice);
        REQUIRE(choice.error().code == base::ExitCode::failed);
        return choice.error().message;
    };

    REQUIRE(message_of(choose("cuda:0", {})) == "--devices cuda:0: there is no NVIDIA driver here");
    REQUIRE(message_of(choose("cuda", {})) == "--devices cuda: there is no NVIDIA driver here");
    REQUIRE(message_of(choose("cpu,cuda:1", {gpu("GPU-a")})) == "--devices cpu,cuda:1: there is one GPU here, cuda:0");
    REQUIRE(message_of(choose("cuda:2", {gpu("GPU-a"), gpu("GPU-b")})) ==
            "--devices cuda:2: there are 2 GPUs here, cuda:0 to cuda:1");
    REQUIRE(
        contains(message_of(choose("cuda:0", {gpu("GPU-a")}, "3")), "CUDA_VISIBLE_DEVICES='3' shows none of the 1"));
}

TEST_CASE("a GPU that is named is taken although it is suspect, but not when it is of no use")
{
    auto suspect = gpu("GPU-a");
    suspect.has_failed_to_remap = true;
    auto closed = gpu("GPU-b");
    closed.compute_mode = ComputeMode::prohibited;

    REQUIRE(slots_of(choose("cuda:0", {suspect})) == Texts{"cuda:0=GPU-a"});
    REQUIRE(choose("cuda:0", {suspect})->notes.size() == 1);
    REQUIRE(choose("cuda:0", {closed}).error().message ==
            "--devices cuda:0: cuda:0 (H100, GPU-b) lets no process compute (nvidia-smi -c DEFAULT changes that)");
    REQUIRE(contains(choose("cuda", {suspect, closed}).error().message, "none of the GPUs here is fit for work"));
}

TEST_CASE("a GPU for one process at a time gets no second actor")
{
    auto exclusive = gpu("GPU-a");
    exclusive.compute_mode = ComputeMode::exclusive;

    REQUIRE(slots_of(choose("auto", {exclusive})) == Texts{"cuda:0=GPU-a"});
    REQUIRE(contains(choose("cuda:0*2", {exclusive}).error().message, "takes one process at a time"));
    REQUIRE(contains(choose("cuda:0,cuda:0", {exclusive}).error().message, "takes one process at a time"));
}

TEST_CASE("a GPU in MIG mode without instances is none")
{
    auto empty = gpu("GPU-a");
    empty.is_in_mig_mode = true;

    REQUIRE(contains(choose("cuda", {empty}).error().message, "MIG mode and have no instances"));
}

TEST_CASE("no node has more than 64 actors")
{
    REQUIRE(choose("cpu*64", {})->slots.size() == 64);
    for (const auto* text :
         {"cpu*65", "cpu*40,cpu*40", "cuda*65", "cuda:0*33,cuda:0*32", "cpu*18446744073709551615,cpu"}) {
        CAPTURE(text);
        REQUIRE(choose(text, {gpu("GPU-a")}).error().code == base::ExitCode::usage);
    }
    REQUIRE(choose("auto", std::vector<Gpu>(100, gpu("GPU-a")))->slots.size() == 64);
}
