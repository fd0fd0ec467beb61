// SPDX-License-Identifier: Apache-2.0
// Holds proto/PROTOCOL.md and the code together.
#include "proto/message_table.hpp"
#include "tests/unit/proto/samples.hpp"

#include "tests/catch.hpp"

#include <fstream>
#include <map>
#include <sstream>

namespace proto = sdfleet::proto;

namespace {

struct Row {
    std::string name;
    std::string directions;
    bool operator==(const Row&) const = default;
};

std::string trim(const std::string& text)
{
    const auto begin = text.find_first_not_of(" `");
    const auto end = text.find_last_not_of(" `");
    return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// Rows of the form "| 20 | `Assign` | coordinator → agent, ... | ...", by number.
std::map<int, Row> read_table()
{
    std::map<int, Row> rows;
    std::ifstream file(SDFLEET_SOURCE_DIR "/proto/PROTOCOL.md");
    for (std::string line; std::getline(file, line);) {
        std::istringstream cells(line);
        std::string number;
        Row row;
        std::getline(cells, number, '|');
        std::getline(cells, number, '|');
        std::getline(cells, row.name, '|');
        std::getline(cells, row.directions, '|');
        number = trim(number);
        if (!number.empty() && number.find_first_not_of("0123456789") == std::string::npos) {
            rows[std::stoi(number)] = {trim(row.name), trim(row.directions)};
        }
    }
    return rows;
}

} // namespace

TEST_CASE("PROTOCOL.md lists exactly the messages of the code, with the same numbers, names and directions")
{
    const auto rows = read_table();

    REQUIRE(rows.size() == std::variant_size_v<proto::MessageVariant>);
    for (const auto& message : proto::sample_messages()) {
        const auto& info = proto::info_of(proto::type_of(message));
        const int number = static_cast<int>(info.type);
        CAPTURE(number);
        REQUIRE(rows.contains(number));
        REQUIRE(rows.at(number) == Row{std::string(info.name), std::string(info.directions)});
    }
}

TEST_CASE("only the directions of the table are allowed")
{
    using proto::MessageType;
    using proto::Role;
    REQUIRE(proto::may_send(Role::coordinator, Role::agent, MessageType::assign));
    REQUIRE(proto::may_send(Role::agent, Role::actor, MessageType::assign));
    REQUIRE_FALSE(proto::may_send(Role::client, Role::coordinator, MessageType::assign));
    REQUIRE_FALSE(proto::may_send(Role::agent, Role::coordinator, MessageType::submit));
    REQUIRE_FALSE(proto::may_send(Role::client, Role::coordinator, MessageType::item_done));
}
