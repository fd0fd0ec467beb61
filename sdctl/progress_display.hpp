// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdctl/progress_text.hpp"

#include <cstddef>
#include <string>

namespace sdfleet::sdctl {

/// Shows progress on stderr: redrawn in place on a terminal, plain lines elsewhere. Leaves the terminal clean when it goes.
class ProgressDisplay {
public:
    ProgressDisplay();
    ~ProgressDisplay();
    ProgressDisplay(const ProgressDisplay&) = delete;
    ProgressDisplay& operator=(const ProgressDisplay&) = delete;

    /// True where progress is redrawn in place.
    bool is_live() const { return is_live_; }

    /// Redraws the live display; does nothing elsewhere.
    void show(const ProgressView& view);

    /// A line that stays. On a terminal only what matters to people (failures); elsewhere each picture too.
    void keep_line(const std::string& line);

private:
    void erase();

    bool is_live_;
    bool has_colour_;
    std::size_t lines_shown_ = 0;
};

} // namespace sdfleet::sdctl
