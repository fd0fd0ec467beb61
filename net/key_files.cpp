// SPDX-License-Identifier: Apache-2.0
#include "net/key_files.hpp"

#include "base/atomic_file.hpp"
#include "proto/ids.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <sstream>
#include <system_error>

#include <sys/stat.h>

namespace sdfleet::net {

namespace fs = std::filesystem;
using base::ExitCode;

namespace {

constexpr std::size_t max_key_file_bytes = 4096;
constexpr const char* may_launch_line = "may-launch";

fs::path keys_dir(const fs::path& data_dir)
{
    return data_dir / "keys";
}

fs::path public_key_file(const fs::path& data_dir, const std::string& name)
{
    return keys_dir(data_dir) / "allowed" / (name + ".pub");
}

base::Result<void> make_folder(const fs::path& folder)
{
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
        return base::fail(ExitCode::failed, "cannot make the folder " + folder.string() + ": " + error.message());
    }
    return {};
}

base::Result<void> write_secret(const fs::path& path, const std::string& content)
{
    return base::write_file_atomically(path, std::as_bytes(std::span(content)), base::FileMode::owner_only);
}

base::Result<void> check_private(const fs::path& path)
{
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
        return base::fail(ExitCode::usage,
                          "others can read the key file " + path.string() + "; run: chmod 600 " + path.string());
    }
    return {};
}

/// The value of "name: value" in a key file.
std::optional<std::string> value_of(const std::string& content, const std::string& name)
{
    std::istringstream lines(content);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name + ": ")) {
            return line.substr(name.size() + 2);
        }
    }
    return std::nullopt;
}

bool is_key(const std::string& text)
{
    // Secret and public keys have the same form; deriving a public half fails on anything else.
    return curve_public_key(text).has_value();
}

std::string trim(std::string text)
{
    text.erase(text.find_last_not_of(" \n\r\t") + 1);
    return text;
}

} // namespace

base::Result<CurveKeyPair> load_or_make_server_keys(const fs::path& data_dir)
{
    const auto path = keys_dir(data_dir) / "coordinator.key";
    if (fs::exists(path)) {
        return check_private(path)
            .and_then([&] { return base::read_file(path, max_key_file_bytes); })
            .and_then([&](const std::string& content) -> base::Result<CurveKeyPair> {
                const auto secret = trim(content);
                const auto public_key = curve_public_key(secret);
                if (!public_key) {
                    return base::fail(ExitCode::failed, "there is no key in " + path.string());
                }
                return CurveKeyPair{*public_key, secret};
            });
    }
    const auto keys = make_curve_key_pair();
    return make_folder(keys_dir(data_dir))
        .and_then([&] { return write_secret(path, keys.secret_key + "\n"); })
        .map([&] { return keys; });
}

base::Result<std::vector<std::string>> list_members(const fs::path& data_dir)
{
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(keys_dir(data_dir) / "allowed", error)) {
        if (entry.path().extension() == ".pub") {
            names.push_back(entry.path().stem().string());
        }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        return base::fail(ExitCode::failed, "cannot list the keys in " + data_dir.string() + ": " + error.message());
    }
    std::ranges::sort(names);
    return names;
}

base::Result<AllowedKeys> load_allowed_keys(const fs::path& data_dir)
{
    const auto names = list_members(data_dir);
    if (!names) {
        return tl::unexpected(names.error());
    }
    AllowedKeys keys;
    for (const auto& name : *names) {
        const auto path = public_key_file(data_dir, name);
        const auto content = base::read_file(path, max_key_file_bytes);
        if (!content) {
            return tl::unexpected(content.error());
        }
        std::istringstream lines(*content);
        std::string key;
        std::getline(lines, key);
        key = trim(key);
        if (!is_key(key)) {
            return base::fail(ExitCode::failed, "there is no key in " + path.string());
        }
        keys.all.insert(key);
        for (std::string line; std::getline(lines, line);) {
            line = trim(line);
            if (line == may_launch_line) {
                keys.may_launch.insert(key);
            } else if (!line.empty()) { // a right that this release does not know is no reason to let less be checked
                return base::fail(ExitCode::failed, path.string() + ": '" + line.substr(0, 64) +
                                                        "' is nothing that a key may be allowed; known is: may-launch");
            }
        }
    }
    return keys;
}

base::Result<void> issue_member_key(const fs::path& data_dir, const std::string& name, const fs::path& key_file,
                                    bool may_launch)
{
    if (!proto::is_valid_name(name)) {
        return base::fail(ExitCode::usage, "'" + name + "' is not a name (1 to 64 letters, digits, . _ -)");
    }
    const auto public_file = public_key_file(data_dir, name);
    for (const auto& path : {public_file, key_file}) {
        if (fs::exists(path)) {
            return base::fail(ExitCode::usage, path.string() + " exists already; revoke or remove it first");
        }
    }
    const auto server = load_or_make_server_keys(data_dir);
    if (!server) {
        return tl::unexpected(server.error());
    }
    const auto keys = make_curve_key_pair();
    const std::string content = "name: " + name + "\ncoordinator-public-key: " + server->public_key +
                                "\npublic-key: " + keys.public_key + "\nsecret-key: " + keys.secret_key + "\n";
    const std::string public_content = keys.public_key + "\n" + (may_launch ? std::string(may_launch_line) + "\n" : "");
    auto issued =
        write_secret(key_file, content).and_then([&] { return make_folder(public_file.parent_path()); }).and_then([&] {
            return base::write_file_atomically(public_file, std::as_bytes(std::span(public_content)));
        });
    if (!issued) { // a key file that opens nothing would only be in the way of the next try
        std::error_code ignored;
        fs::remove(key_file, ignored);
    }
    return issued;
}

base::Result<void> revoke_member(const fs::path& data_dir, const std::string& name)
{
    std::error_code error;
    if (!proto::is_valid_name(name) || !fs::remove(public_key_file(data_dir, name), error)) {
        return base::fail(ExitCode::failed, "there is no key of '" + name + "' in " + data_dir.string() +
                                                (error ? ": " + error.message() : ""));
    }
    return {};
}

base::Result<CurveClient> load_member_key(const fs::path& key_file)
{
    const auto content =
        check_private(key_file).and_then([&] { return base::read_file(key_file, max_key_file_bytes); });
    if (!content) {
        return base::fail(ExitCode::usage, "key file: " + content.error().message);
    }
    const auto server = value_of(*content, "coordinator-public-key");
    const auto public_key = value_of(*content, "public-key");
    const auto secret_key = value_of(*content, "secret-key");
    if (!server || !public_key || !secret_key || !is_key(*server) || curve_public_key(*secret_key) != public_key) {
        return base::fail(ExitCode::usage, key_file.string() + " is not a key file; make one with `sdctl keys issue`");
    }
    return CurveClient{*server, {*public_key, *secret_key}};
}

} // namespace sdfleet::net
