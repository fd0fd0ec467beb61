// SPDX-License-Identifier: Apache-2.0
// Where keys lie on disk. The coordinator's data directory holds
//   keys/coordinator.key     its own secret key
//   keys/allowed/NAME.pub    the public key of each member that may connect; a second line "may-launch" lets it run programs
// and a member (an agent, a client) has one key file: who the coordinator is, and who it is itself.
#pragma once

#include "base/error.hpp"
#include "net/curve.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace sdfleet::net {

/// Reads the coordinator's key pair, or makes it (mode 0600) when there is none yet.
base::Result<CurveKeyPair> load_or_make_server_keys(const std::filesystem::path& data_dir);

/// Public keys of members.
struct AllowedKeys {
    std::set<std::string> all;
    std::set<std::string> may_launch; ///< those of them who may run programs on the nodes

    bool operator==(const AllowedKeys&) const = default;
};

/// The public keys of all members. A file that holds no key is an error, not a silent gap.
base::Result<AllowedKeys> load_allowed_keys(const std::filesystem::path& data_dir);

/// Names of all members, sorted.
base::Result<std::vector<std::string>> list_members(const std::filesystem::path& data_dir);

/// Makes a key pair for a new member, writes its key file (mode 0600; must not exist yet) and then allows it.
base::Result<void> issue_member_key(const std::filesystem::path& data_dir, const std::string& name,
                                    const std::filesystem::path& key_file, bool may_launch = false);

/// The member's connections are refused from the next handshake on.
base::Result<void> revoke_member(const std::filesystem::path& data_dir, const std::string& name);

/// What a member needs to dial. Refuses a file that others can read.
base::Result<CurveClient> load_member_key(const std::filesystem::path& key_file);

} // namespace sdfleet::net
