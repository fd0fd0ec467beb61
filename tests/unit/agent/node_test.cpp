// SPDX-License-Identifier: Apache-2.0
// What an agent finds out about its machine before it starts.
#include "agent/actor_check.hpp"
#include "agent/device_plan.hpp"
#include "agent/node_name.hpp"
#include "agent/runtime_dir.hpp"
#include "agent/served_model.hpp"
#include "proto/ids.hpp"

#include "tests/catch.hpp"

#include <fstream>

#include <sys/stat.h>

using namespace sdfleet;
using namespace sdfleet::agent;

namespace {

struct Folder {
    std::filesystem::path path;

    Folder()
    {
        std::string name = std::filesystem::temp_directory_path() / "sdfleet-node-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }

    void write(const std::string& name, const std::string& content) const
    {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name) << content;
    }
};

base::ExitCode code_of_model(const std::string& text)
{
    return open_served_model(text).error().code;
}

} // namespace

TEST_CASE("a node offers its processor and the GPUs that its actors use")
{
    Machine machine{{"cpu", "a processor", 1}, {}, {}};
    machine.gpus.gpus = {{.uuid = "GPU-a", .name = "NVIDIA H100", .memory_bytes = 80},
                         {.uuid = "GPU-b", .name = "NVIDIA H100", .memory_bytes = 80}};

    const auto plan = plan_devices(*devices::parse_device_request("cpu,cuda:1"), machine);

    REQUIRE(plan->slots == std::vector<devices::Slot>{{"cpu", ""}, {"cuda:1", "GPU-b"}});
    REQUIRE(plan->cuda_uuids == std::vector<std::string>{"GPU-a", "GPU-b"});
    REQUIRE(plan->devices == std::vector<proto::DeviceInfo>{machine.processor, {"cuda:1", "NVIDIA H100, GPU-b", 80}});
    REQUIRE(plan->uses_gpus());
}

TEST_CASE("a request for the processor asks no driver")
{
    const auto request = devices::parse_device_request("cpu*2");

    const auto machine = look_at_machine(*request);

    REQUIRE(machine.gpus == devices::GpuInventory{});
    REQUIRE(machine.processor.name == "cpu");
    REQUIRE(machine.processor.memory_bytes > 0);
    REQUIRE(plan_devices(*request, machine)->slots.size() == 2);
}

TEST_CASE("the actors' program is asked whether it can draw on a GPU")
{
    const Folder folder;
    const auto program = [&](const std::string& script) {
        folder.write("actor", "#!/bin/sh\n" + script + "\n");
        std::filesystem::permissions(folder.path / "actor", std::filesystem::perms::owner_all);
        return folder.path / "actor";
    };
    const devices::Slot gpu{"cuda:3", "GPU-d"};

    REQUIRE(check_gpu_actor(
        program("test \"$*\" = 'check --device cuda:0 --mode fast' -a $CUDA_VISIBLE_DEVICES = GPU-d"), gpu, "fast"));
    REQUIRE(check_gpu_actor(program("echo 'no such command' >&2; exit 2"), gpu, "fast"));
    REQUIRE(check_gpu_actor(program("echo a warning >&2; echo 'actor: no LibTorch' >&2; exit 1"), gpu, "fast")
                .error()
                .message == "no LibTorch");
    REQUIRE(check_gpu_actor(program("kill -9 $$"), gpu, "fast").error().message.find("check was killed by SIGKILL") !=
            std::string::npos);
    REQUIRE(check_gpu_actor(folder.path / "nowhere", gpu, "fast").error().code == base::ExitCode::failed);
}

TEST_CASE("a program that does not answer is ended, and counts as one that cannot draw")
{
    const Folder folder;
    folder.write("actor", "#!/bin/sh\nexec sleep 600\n");
    std::filesystem::permissions(folder.path / "actor", std::filesystem::perms::owner_all);

    const auto checked =
        check_gpu_actor(folder.path / "actor", {"cuda:0", "GPU-a"}, "fast", std::chrono::milliseconds(50));

    REQUIRE(checked.error().message.find("does not come to an end") != std::string::npos);
}

TEST_CASE("a host name becomes a valid node name")
{
    REQUIRE(to_node_name("gpu-box.example.org") == "gpu-box.example.org");
    REQUIRE(to_node_name("my box") == "my-box");
    REQUIRE(to_node_name("..hidden") == "hidden");
    REQUIRE(to_node_name("") == "node");
    REQUIRE(proto::is_valid_name(to_node_name(std::string(300, 'a'))));
    REQUIRE(proto::is_valid_name(to_node_name(host_name())));
}

TEST_CASE("a model folder is looked at before it is served")
{
    const Folder folder;
    const auto text = "tiny=" + folder.path.string();
    REQUIRE(code_of_model("tiny=" + (folder.path / "nowhere").string()) == base::ExitCode::bad_input);
    REQUIRE(code_of_model(text) == base::ExitCode::bad_input);
    folder.write("model_index.json", "{ not json");
    REQUIRE(code_of_model(text) == base::ExitCode::bad_input);
    REQUIRE(code_of_model("tiny") == base::ExitCode::usage);
    REQUIRE(code_of_model("tiny=") == base::ExitCode::usage);
    REQUIRE(code_of_model("a/b=" + folder.path.string()) == base::ExitCode::usage);

    folder.write("model_index.json", "{}");

    REQUIRE(open_served_model(text)->name == "tiny");
    REQUIRE(open_served_models({text, text}).error().code == base::ExitCode::usage);
}

TEST_CASE("a fingerprint knows configs, names and sizes of what a pipeline reads, not the place or what lies beside")
{
    const Folder a;
    const Folder b;
    for (const auto* folder : {&a, &b}) {
        folder->write("model_index.json", R"({"unet": ["diffusers", "UNet2DConditionModel"]})");
        folder->write("unet/weights.safetensors", "1234");
    }
    const auto fingerprint = [](const Folder& folder) {
        return open_served_model("m=" + folder.path.string())->fingerprint;
    };
    REQUIRE(fingerprint(a) == fingerprint(b));

    b.write("README.md", "not a part of the model");
    b.write("training/__pycache__/unet.pyc", "nor this");
    REQUIRE(fingerprint(a) == fingerprint(b));

    a.write("model_index.json", R"({"unet": ["diffusers", "UNet2DConditionModel"], "vae": [null, null]})");
    REQUIRE(fingerprint(a) != fingerprint(b));
    b.write("model_index.json", R"({"unet": ["diffusers", "UNet2DConditionModel"], "vae": [null, null]})");
    REQUIRE(fingerprint(a) == fingerprint(b));
    b.write("unet/weights.safetensors", "12345");
    REQUIRE(fingerprint(a) != fingerprint(b));
}

TEST_CASE("a runtime folder is private and goes with its object")
{
    const Folder parent;
    {
        const auto dir = RuntimeDir::create_under(parent.path);
        REQUIRE(dir);
        struct stat info {};
        REQUIRE(::stat(dir->path().c_str(), &info) == 0);
        REQUIRE((info.st_mode & 0777) == 0700);
        REQUIRE(dir->actor_endpoint().starts_with("ipc://" + parent.path.string()));
    }
    REQUIRE(std::filesystem::is_empty(parent.path));
}

TEST_CASE("the folders of dead agents are removed, those of living ones are not")
{
    const Folder parent;
    parent.write("sdfleet-agent-dead00/lock", "");
    parent.write("sdfleet-agent-dead00/actors", "");
    parent.write("sdfleet-agent-young0/lock.new", "");
    parent.write("somebody-else/lock", "");
    const auto living = RuntimeDir::create_under(parent.path);

    const auto dir = RuntimeDir::create_under(parent.path);

    REQUIRE(dir);
    REQUIRE_FALSE(std::filesystem::exists(parent.path / "sdfleet-agent-dead00"));
    REQUIRE(std::filesystem::exists(parent.path / "sdfleet-agent-young0"));
    REQUIRE(std::filesystem::exists(parent.path / "somebody-else"));
    REQUIRE(std::filesystem::exists(living->path()));
}

TEST_CASE("a path too long for a socket is an error that says so")
{
    const Folder parent;
    const auto deep = parent.path / std::string(100, 'd');
    std::filesystem::create_directory(deep);

    const auto dir = RuntimeDir::create_under(deep);

    REQUIRE_FALSE(dir);
    REQUIRE(dir.error().message.find("107 bytes") != std::string::npos);
}
