// SPDX-License-Identifier: Apache-2.0
// One include for Catch2 v2 (Debian 12) and v3 (Debian 13, Ubuntu 24.04).
#pragma once

#ifdef SDFLEET_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
#else
#include <catch2/catch.hpp>
using Catch::StartsWith;
inline auto ContainsSubstring(const std::string& text)
{
    return Catch::Contains(text);
}
#endif
