// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"

#include "tests/catch.hpp"

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
