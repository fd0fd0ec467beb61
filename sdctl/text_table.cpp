// SPDX-License-Identifier: Apache-2.0
#include "sdctl/text_table.hpp"

#include <algorithm>

namespace sdfleet::sdctl {

namespace {

bool is_continuation(char byte)
{
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::string without_controls(std::string_view text)
{
    std::string result(text);
    std::replace_if(
        result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
    return result;
}

} // namespace

std::size_t display_width(std::string_view utf8)
{
    return static_cast<std::size_t>(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return !is_continuation(c); }));
}

std::string fit(std::string_view utf8, std::size_t width)
{
    if (display_width(utf8) <= width) {
        return without_controls(utf8);
    }
    std::size_t end = 0;
    for (std::size_t shown = 0; end < utf8.size(); ++end) {
        if (!is_continuation(utf8[end]) && ++shown >= std::max<std::size_t>(width, 1)) {
            break; // one column is left for the sign that something was cut
        }
    }
    return without_controls(utf8.substr(0, end)) + (width > 0 ? "…" : "");
}

void TextTable::add(std::vector<std::string> row)
{
    for (auto& cell : row) {
        cell = without_controls(cell);
    }
    rows_.push_back(std::move(row));
}

std::string TextTable::to_text() const
{
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            widths[column] = std::max(widths[column], display_width(row[column]));
        }
    }
    std::string text;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t column = 0; column < row.size(); ++column) {
            line += row[column];
            line.append(widths[column] - display_width(row[column]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

} // namespace sdfleet::sdctl
