// SPDX-License-Identifier: Apache-2.0
#include "pipeline/bounded_json.hpp"

#include <cstddef>

namespace sdfleet::pipeline {

bool nests_too_deep(std::string_view text)
{
    int depth = 0;
    bool inside = false; // a text
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inside) {
            i += c == '\\' ? 1 : 0;
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_json_depth) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

} // namespace sdfleet::pipeline
