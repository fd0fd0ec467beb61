// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"

#include "tests/catch.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace base = sdfleet::base;

TEST_CASE("SHA-256 equals the published vectors")
{
    REQUIRE(base::sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    REQUIRE(base::sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("only 64 lower-case hexadecimal digits name an artifact")
{
    REQUIRE(base::is_sha256_hex(base::sha256_hex("abc")));
    REQUIRE_FALSE(base::is_sha256_hex("abc"));
    REQUIRE_FALSE(base::is_sha256_hex(std::string(63, 'a') + "/"));
    REQUIRE_FALSE(base::is_sha256_hex(std::string(64, 'A')));
}

TEST_CASE("hashing a file that is not there says so")
{
    const auto result = base::sha256_hex_of_file("/nonexistent/file");

    REQUIRE_FALSE(result);
    REQUIRE(result.error().message.find("/nonexistent/file") != std::string::npos);
}

TEST_CASE("bytes in memory and the same in a file have the same hash, whatever their length")
{
    // The two ways are computed differently: by the processor's instructions, where it has them, and by libsodium.
    const auto path = std::filesystem::temp_directory_path() / ("sdfleet-sha256-test-" + std::to_string(::getpid()));
    std::string bytes;
    for (int length = 0; length <= 200; ++length) {
        std::ofstream(path, std::ios::binary) << bytes;
        REQUIRE(base::sha256_hex(bytes) == base::sha256_hex_of_file(path));
        bytes += static_cast<char>(length * 37);
    }
    std::filesystem::remove(path);
}
