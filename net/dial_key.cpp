// SPDX-License-Identifier: Apache-2.0
#include "net/dial_key.hpp"

#include "net/key_files.hpp"
#include "net/options.hpp"

namespace sdfleet::net {

base::Result<std::optional<CurveClient>> find_dial_key(const std::string& endpoint,
                                                       const std::filesystem::path& key_file)
{
    if (key_file.empty() || endpoint.starts_with("ipc://")) {
        return std::nullopt;
    }
    return load_member_key(key_file).map([](CurveClient key) { return std::optional(std::move(key)); });
}

std::string key_advice(const std::string& endpoint, bool has_key)
{
    const bool is_local = is_local_endpoint(endpoint);
    if (has_key && is_local) {
        return "A coordinator that listens on this machine alone takes no key: try without --key-file and "
               "SDFLEET_KEY_FILE";
    }
    if (has_key) {
        return "Does it know this key? 'sdctl keys list --data-dir DIR' on its machine shows whose keys it takes";
    }
    return is_local ? ""
                    : "On another machine it answers only those with a key: 'sdctl keys issue' there, --key-file here";
}

} // namespace sdfleet::net
