// SPDX-License-Identifier: Apache-2.0
#include "collective/private_folder.hpp"

#include "tests/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <unistd.h>

namespace fs = std::filesystem;
using sdfleet::collective::PrivateFolder;

namespace {

/// A runtime directory of the test's own, while the test lasts.
struct RuntimeDirectory {
    fs::path path = fs::temp_directory_path() / ("runtime-" + std::to_string(::getpid()));
    fs::path parent = path / ("sdfleet-" + std::to_string(::getuid()));
    std::optional<std::string> before;

    RuntimeDirectory()
    {
        if (const char* value = std::getenv("XDG_RUNTIME_DIR")) {
            before = value;
        }
        fs::create_directory(path);
        ::setenv("XDG_RUNTIME_DIR", path.c_str(), 1);
    }
    ~RuntimeDirectory()
    {
        before ? ::setenv("XDG_RUNTIME_DIR", before->c_str(), 1) : ::unsetenv("XDG_RUNTIME_DIR");
        fs::remove_all(path);
    }
};

} // namespace

TEST_CASE("the folder is closed to others, and gone with its owner and its file")
{
    const RuntimeDirectory runtime;
    auto folder = PrivateFolder::make();
    REQUIRE(folder);
    const fs::path file = folder->file();
    std::ofstream(file) << "a socket";
    REQUIRE(fs::status(file.parent_path()).permissions() == fs::perms::owner_all);
    REQUIRE(fs::status(runtime.parent).permissions() == fs::perms::owner_all);
    folder.reset();
    REQUIRE_FALSE(fs::exists(file.parent_path()));
}

TEST_CASE("what a killed process left is removed by the next, and nobody else's folder is")
{
    const RuntimeDirectory runtime;
    const auto kept = PrivateFolder::make();
    const auto abandoned = runtime.parent / "g-abandoned";
    fs::create_directory(abandoned);
    std::ofstream(abandoned / "s") << "a socket";
    std::ofstream(runtime.parent / "notes") << "not ours";

    const auto next = PrivateFolder::make();
    REQUIRE(next);
    REQUIRE_FALSE(fs::exists(abandoned));
    REQUIRE(fs::exists(fs::path(kept->file()).parent_path()));
    REQUIRE(fs::exists(runtime.parent / "notes"));
}

TEST_CASE("a place that others can enter, or that leads elsewhere, is not used")
{
    const RuntimeDirectory runtime;
    fs::create_directory(runtime.parent);
    fs::permissions(runtime.parent, fs::perms::all);
    const auto elsewhere = PrivateFolder::make();
    REQUIRE((!elsewhere || !elsewhere->file().starts_with(runtime.path.string())));

    fs::remove(runtime.parent);
    fs::create_directory(runtime.path / "target");
    fs::permissions(runtime.path / "target", fs::perms::owner_all);
    fs::create_directory_symlink(runtime.path / "target", runtime.parent);
    const auto again = PrivateFolder::make();
    REQUIRE((!again || !again->file().starts_with(runtime.path.string())));
}
