// SPDX-License-Identifier: Apache-2.0
#include "sdctl/progress_display.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/ioctl.h>
#include <unistd.h>

namespace sdfleet::sdctl {

namespace {

constexpr const char* green = "\033[32m";
constexpr const char* plain = "\033[0m";

bool is_smart_terminal()
{
    const char* terminal = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

bool wants_colour()
{
    const char* no_colour = std::getenv("NO_COLOR");
    return no_colour == nullptr || *no_colour == '\0';
}

struct TerminalSize {
    std::size_t columns = 80;
    std::size_t lines = 24;
};

/// Asked each time: windows change their size.
TerminalSize terminal_size()
{
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return {};
    }
    return {size.ws_col, size.ws_row};
}

} // namespace

ProgressDisplay::ProgressDisplay() : is_live_(is_smart_terminal()), has_colour_(is_live_ && wants_colour()) {}

ProgressDisplay::~ProgressDisplay()
{
    erase();
}

void ProgressDisplay::show(const ProgressView& view)
{
    if (!is_live_) {
        return;
    }
    erase();
    const auto size = terminal_size();
    // The last column and the last line are left free, so that the terminal never wraps or scrolls on its own.
    const auto lines = progress_lines(view, size.columns - 1, std::max<std::size_t>(size.lines, 3) - 1);
    std::string text = has_colour_ ? green + lines.front() + plain : lines.front();
    for (std::size_t i = 1; i < lines.size(); ++i) {
        text += "\n" + lines[i];
    }
    text += "\n";
    std::fputs(text.c_str(), stderr);
    lines_shown_ = lines.size();
}

void ProgressDisplay::keep_line(const std::string& line)
{
    erase();
    std::fprintf(stderr, "%s\n", line.c_str());
}

void ProgressDisplay::erase()
{
    if (lines_shown_ > 0) {
        // Up to the display's first line, then clear from there to the end of the screen.
        std::fprintf(stderr, "\033[%zuA\r\033[J", lines_shown_);
        lines_shown_ = 0;
    }
}

} // namespace sdfleet::sdctl
