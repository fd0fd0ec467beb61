// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::sdctl {

/// Columns of text for people, two spaces apart; as wide as their widest cell. The last column is not padded.
class TextTable {
public:
    explicit TextTable(std::vector<std::string> header) { add(std::move(header)); }

    /// As many cells as the header has. Line breaks and control characters become spaces.
    void add(std::vector<std::string> row);

    /// Lines with their line feeds.
    std::string to_text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

/// Code points; close enough to columns on a terminal for what we print.
std::size_t display_width(std::string_view utf8);

/// At most `width` code points; what was cut is shown by "…". Control characters become spaces.
std::string fit(std::string_view utf8, std::size_t width);

} // namespace sdfleet::sdctl
