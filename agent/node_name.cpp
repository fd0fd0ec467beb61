// SPDX-License-Identifier: Apache-2.0
#include "agent/node_name.hpp"

#include "proto/ids.hpp"

#include <algorithm>
#include <climits>

#include <unistd.h>

namespace sdfleet::agent {

std::string host_name()
{
    char name[HOST_NAME_MAX + 1] = {};
    return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "node";
}

std::string to_node_name(std::string text)
{
    constexpr std::size_t max_bytes = 64; // of proto::is_valid_name
    text.erase(0, text.find_first_not_of('.'));
    text.resize(std::min(text.size(), max_bytes));
    for (char& c : text) {
        if (!proto::is_valid_name("x" + std::string(1, c))) {
            c = '-';
        }
    }
    return proto::is_valid_name(text) ? text : "node";
}

} // namespace sdfleet::agent
