// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.hpp"

#include "tests/catch.hpp"

#include <filesystem>
#include <string>

#include <unistd.h>

namespace base = sdfleet::base;
namespace fs = std::filesystem;

namespace {

struct Folder {
    fs::path path;
    Folder()
    {
        std::string name = (fs::temp_directory_path() / "sdfleet-test-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
};

auto count_entries(const fs::path& folder)
{
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

std::span<const std::byte> bytes_of(const std::string& text)
{
    return std::as_bytes(std::span(text));
}

} // namespace

TEST_CASE("a written file holds the bytes and leaves no temporary beside it")
{
    const Folder folder;
    const std::string content("a\0b", 3);

    REQUIRE(base::write_file_atomically(folder.path / "x", bytes_of(content)));
    REQUIRE(base::write_file_atomically(folder.path / "x", bytes_of(content)));

    REQUIRE(base::read_file(folder.path / "x", 100) == content);
    REQUIRE(count_entries(folder.path) == 1);
}

TEST_CASE("writing where it cannot be written names the place and leaves nothing")
{
    const Folder folder;
    fs::create_directory(folder.path / "taken");
    const std::string content = "x";

    const auto missing = base::write_file_atomically(folder.path / "no" / "x", bytes_of(content));
    const auto onto_folder = base::write_file_atomically(folder.path / "taken", bytes_of(content));

    REQUIRE_FALSE(missing);
    REQUIRE(missing.error().message.find("No such file or directory") != std::string::npos);
    REQUIRE_FALSE(onto_folder);
    REQUIRE(count_entries(folder.path) == 1);
}

TEST_CASE("a file above the limit is refused, one at the limit is read")
{
    const Folder folder;
    const std::string content(70000, 'x');
    REQUIRE(base::write_file_atomically(folder.path / "x", bytes_of(content)));

    REQUIRE(base::read_file(folder.path / "x", 70000)->size() == 70000);
    REQUIRE_FALSE(base::read_file(folder.path / "x", 69999));
    REQUIRE_FALSE(base::read_file(folder.path, 10));
}
