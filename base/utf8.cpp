// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.hpp"

#include <cstdint>

#include <unicode/utf8.h>

namespace sdfleet::base {

bool is_utf8(std::string_view text)
{
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto length = static_cast<std::int64_t>(text.size());
    std::int64_t position = 0;
    while (position < length) {
        UChar32 code_point = 0;
        U8_NEXT(bytes, position, length, code_point);
        if (code_point < 0) {
            return false;
        }
    }
    return true;
}

} // namespace sdfleet::base
