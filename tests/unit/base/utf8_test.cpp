// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include "tests/catch.hpp"

using sdfleet::base::is_utf8;

TEST_CASE("well-formed UTF-8 of every length is accepted")
{
    REQUIRE(is_utf8(""));
    REQUIRE(is_utf8("a red circle"));
    REQUIRE(is_utf8("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xA8"));
}

TEST_CASE("malformed UTF-8 is refused")
{
    REQUIRE_FALSE(is_utf8("\xFF"));
    REQUIRE_FALSE(is_utf8("\xC0\xAF"));         // overlong
    REQUIRE_FALSE(is_utf8("\xED\xA0\x80"));     // surrogate
    REQUIRE_FALSE(is_utf8("\xF4\x90\x80\x80")); // above U+10FFFF
    REQUIRE_FALSE(is_utf8("ab\xE2\x82"));       // truncated
}
