// SPDX-License-Identifier: Apache-2.0
// The bytes of every message, kept: a change here is a change of the protocol. To accept one on purpose, run
// `SDFLEET_WRITE_GOLDEN=1 proto_test "[golden]"`, and say in PROTOCOL.md and CHANGELOG.md what changed.
#include "proto/codec.hpp"
#include "proto/message_table.hpp"
#include "tests/unit/proto/samples.hpp"

#include "tests/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <map>

namespace proto = sdfleet::proto;

namespace {

const std::string golden_file = SDFLEET_SOURCE_DIR "/tests/unit/proto/golden_bytes.txt";

std::string to_hex(const std::string& bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string hex;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

std::map<std::string, std::string> encode_samples()
{
    std::map<std::string, std::string> hex_of_name;
    for (const auto& message : proto::sample_messages()) {
        const auto name = std::string(proto::info_of(proto::type_of(message)).name);
        hex_of_name[name] = to_hex(proto::encode({1, {"cluster"}, 0, 12}, message));
    }
    return hex_of_name;
}

std::map<std::string, std::string> read_golden()
{
    std::map<std::string, std::string> hex_of_name;
    std::ifstream file(golden_file);
    std::string name;
    std::string hex;
    while (file >> name >> hex) {
        hex_of_name[name] = hex;
    }
    return hex_of_name;
}

} // namespace

TEST_CASE("the bytes of every message are those of the published protocol", "[golden]")
{
    const auto encoded = encode_samples();
    if (std::getenv("SDFLEET_WRITE_GOLDEN") != nullptr) {
        std::ofstream file(golden_file);
        for (const auto& [name, hex] : encoded) {
            file << name << ' ' << hex << '\n';
        }
    }
    const auto golden = read_golden();

    REQUIRE(golden.size() == std::variant_size_v<proto::MessageVariant>);
    for (const auto& [name, hex] : encoded) {
        CAPTURE(name);
        REQUIRE(golden.contains(name));
        REQUIRE(golden.at(name) == hex);
    }
}
