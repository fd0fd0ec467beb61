// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_plugin_loader.hpp"

#include "nccl_story.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

using namespace sdfleet::collective;
namespace fs = std::filesystem;

namespace {

std::string why_not(const std::string& library)
{
    const auto plugin = NcclPlugin::load(library);
    REQUIRE_FALSE(plugin);
    REQUIRE(std::holds_alternative<BackendUnavailable>(plugin.error().cause));
    REQUIRE(plugin.error().message.find('\n') == std::string::npos);
    return plugin.error().message;
}

std::string why_no_device(FakeNccl& fake, fake_nccl_fault fault, int device = 0)
{
    fake.set_fault(fault);
    const auto facts = fake.plugin().probe(device);
    REQUIRE_FALSE(facts);
    REQUIRE(std::holds_alternative<BackendUnavailable>(facts.error().cause));
    return facts.error().message;
}

struct Folder {
    fs::path path;

    Folder()
    {
        std::string name = fs::temp_directory_path() / "sdfleet-nccl-test-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
};

/// The first line that a command prints.
std::string output_of(const std::string& command)
{
    std::FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> line{};
    const bool read = std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr;
    ::pclose(pipe);
    REQUIRE(read);
    const std::string text(line.data());
    return text.substr(0, text.find('\n'));
}

} // namespace

TEST_CASE("what is no plug-in is refused with the file and the reason")
{
    const Folder folder;
    const auto text_file = folder.path / "libsdfleet_cuda.so";
    std::ofstream(text_file) << "not a library";

    REQUIRE_THAT(why_not("/nonexistent/libsdfleet_cuda.so"), ContainsSubstring("/nonexistent/libsdfleet_cuda.so"));
    REQUIRE_THAT(why_not(text_file), ContainsSubstring("does not load"));
    REQUIRE_THAT(why_not("libdl.so.2"), ContainsSubstring("has no sdfleet_nccl_plugin_v1"));
    REQUIRE_THAT(why_not(SDFLEET_FAKE_NCCL_OF_TOMORROW),
                 ContainsSubstring("version 2 of the plug-in interface, this program 1"));
}

TEST_CASE("a plug-in beside the program is found without being named")
{
    const Folder folder;
    const auto program = folder.path / "program";
    const auto plugin = folder.path / "libsdfleet_cuda.so";
    fs::copy_file(SDFLEET_NCCL_HELPER, program);
    fs::copy_file(SDFLEET_FAKE_NCCL, plugin);

    REQUIRE(output_of(program.string() + " where") == fs::canonical(plugin).string());

    fs::remove(plugin);
    REQUIRE_THAT(output_of("LD_LIBRARY_PATH= " + program.string() + " where"), ContainsSubstring("docs/gpu.md"));
}

TEST_CASE("a machine without driver, device or NCCL says which of them it lacks")
{
    FakeNccl fake;

    REQUIRE_THAT(why_no_device(fake, fake_nccl_no_driver), ContainsSubstring("libcuda.so.1"));
    REQUIRE_THAT(why_no_device(fake, fake_nccl_no_device), ContainsSubstring("no CUDA device"));
    REQUIRE_THAT(why_no_device(fake, fake_nccl_works, 2), ContainsSubstring("no CUDA device"));
    REQUIRE_THAT(why_no_device(fake, fake_nccl_no_library), ContainsSubstring("NCCL is missing"));
}
