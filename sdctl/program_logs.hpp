// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "proto/program_messages.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace sdfleet::sdctl {

enum class LogStyle {
    prefixed, ///< "[3] line"
    coloured, ///< the same, each rank in a colour of its own
    plain,    ///< as the ranks wrote it, in the order in which it came
    json      ///< a JSON document a line
};

/// Shows what ranks write: their stdout on ours, their stderr on ours, in whole lines, so that the lines of two ranks do not
/// mix. A rank's last line without an end is shown by flush(), and a very long one in pieces. With a folder each rank's
/// output also goes there, as it is, both streams into rank-N.log.
class ProgramLogs {
public:
    explicit ProgramLogs(LogStyle style) : style_(style) {}

    /// Makes the folder.
    base::Result<void> gather_in(const std::filesystem::path& folder);

    /// Fails when a log file cannot be written (a full disk).
    base::Result<void> write(const proto::OutputChunk& chunk, std::string_view bytes);
    void flush();

private:
    using Key = std::pair<std::uint32_t, proto::OutputStream>;
    struct Unfinished {
        std::string line;
        bool was_returned = false; ///< the last byte was a \r, which may be half of a line's end
    };

    void show_line(const Key& key, std::string_view line);
    void show_plain(proto::OutputStream stream, std::string_view bytes);

    LogStyle style_;
    std::map<Key, Unfinished> unfinished_;
    std::filesystem::path folder_; ///< empty: none
    std::map<std::uint32_t, std::ofstream> files_;
};

} // namespace sdfleet::sdctl
