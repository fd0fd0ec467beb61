// SPDX-License-Identifier: Apache-2.0
#include "net/key_files.hpp"

#include "tests/catch.hpp"

#include <fstream>

#include <unistd.h>

namespace fs = std::filesystem;
namespace net = sdfleet::net;
using sdfleet::base::ExitCode;

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

bool is_private(const fs::path& path)
{
    return (fs::status(path).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none;
}

} // namespace

TEST_CASE("an issued key names the coordinator, is allowed, private, and gone when it is revoked")
{
    const Folder folder;
    const auto key_file = folder.path / "node-a.key";

    REQUIRE(net::issue_member_key(folder.path, "node-a", key_file));
    const auto server = net::load_or_make_server_keys(folder.path);
    const auto member = net::load_member_key(key_file);

    REQUIRE(server);
    REQUIRE(member);
    REQUIRE(member->server_public_key == server->public_key);
    REQUIRE(net::load_allowed_keys(folder.path)->all == std::set<std::string>{member->keys.public_key});
    REQUIRE(net::list_members(folder.path) == std::vector<std::string>{"node-a"});
    REQUIRE(is_private(key_file));
    REQUIRE(is_private(folder.path / "keys" / "coordinator.key"));

    REQUIRE(net::revoke_member(folder.path, "node-a"));
    REQUIRE(net::load_allowed_keys(folder.path)->all.empty());
}

TEST_CASE("the coordinator keeps its key across starts")
{
    const Folder folder;
    REQUIRE(net::load_or_make_server_keys(folder.path) == net::load_or_make_server_keys(folder.path));
}

TEST_CASE("a name is issued once, and only a good name")
{
    const Folder folder;
    REQUIRE(net::issue_member_key(folder.path, "a", folder.path / "1.key"));

    REQUIRE(net::issue_member_key(folder.path, "a", folder.path / "2.key").error().code == ExitCode::usage);
    REQUIRE(net::issue_member_key(folder.path, "b", folder.path / "1.key").error().code == ExitCode::usage);
    REQUIRE(net::issue_member_key(folder.path, "../c", folder.path / "3.key").error().code == ExitCode::usage);
    REQUIRE_FALSE(net::revoke_member(folder.path, "nobody"));
}

TEST_CASE("a key that cannot be allowed leaves no key file")
{
    const Folder folder;
    REQUIRE(net::load_or_make_server_keys(folder.path));
    std::ofstream(folder.path / "keys" / "allowed") << "in the way";

    REQUIRE_FALSE(net::issue_member_key(folder.path, "a", folder.path / "a.key"));
    REQUIRE_FALSE(fs::exists(folder.path / "a.key"));
}

TEST_CASE("a key file that others can read, that is missing or damaged is refused with the reason")
{
    const Folder folder;
    const auto key_file = folder.path / "a.key";
    REQUIRE(net::load_member_key(key_file).error().message.find("a.key") != std::string::npos);
    REQUIRE(net::issue_member_key(folder.path, "a", key_file));

    fs::permissions(key_file, fs::perms::group_read, fs::perm_options::add);
    REQUIRE(net::load_member_key(key_file).error().message.find("chmod 600") != std::string::npos);

    fs::permissions(key_file, fs::perms::group_read, fs::perm_options::remove);
    std::ofstream(key_file) << "secret-key: nonsense\n";
    REQUIRE(net::load_member_key(key_file).error().message.find("not a key file") != std::string::npos);

    std::ofstream(folder.path / "keys" / "allowed" / "a.pub") << "nonsense\n";
    REQUIRE_FALSE(net::load_allowed_keys(folder.path));
}
