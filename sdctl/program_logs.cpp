// SPDX-License-Identifier: Apache-2.0
#include "sdctl/program_logs.hpp"

#include "base/utf8.hpp"
#include "sdctl/output.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace sdfleet::sdctl {

namespace {

constexpr std::size_t longest_line_bytes = 64 * 1024;

FILE* file_of(proto::OutputStream stream)
{
    return stream == proto::OutputStream::out ? stdout : stderr;
}

/// Colours that can be read on light and on dark ground.
const char* colour_of(std::uint32_t rank)
{
    constexpr std::array colours{"\033[36m", "\033[35m", "\033[32m", "\033[33m", "\033[34m", "\033[31m"};
    return colours[rank % colours.size()];
}

} // namespace

base::Result<void> ProgramLogs::gather_in(const std::filesystem::path& folder)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return base::fail(base::ExitCode::usage,
                          "cannot make the folder " + folder.string() + " for logs: " + error.message());
    }
    folder_ = folder;
    return {};
}

base::Result<void> ProgramLogs::write(const proto::OutputChunk& chunk, std::string_view bytes)
{
    if (!folder_.empty()) {
        const auto path = folder_ / ("rank-" + std::to_string(chunk.rank.value) + ".log");
        auto& file = files_[chunk.rank.value];
        if (!file.is_open()) {
            file.open(path, std::ios::binary | std::ios::trunc);
        }
        file << bytes << std::flush;
        if (!file) {
            return base::fail(base::ExitCode::failed, "cannot write " + path.string() + ": " + std::strerror(errno));
        }
    }
    if (style_ == LogStyle::plain) {
        show_plain(chunk.stream, bytes);
        return {};
    }
    const Key key{chunk.rank.value, chunk.stream};
    auto& [line, was_returned] = unfinished_[key];
    for (const char c : bytes) {
        const bool is_second_half = c == '\n' && was_returned;
        was_returned = c == '\r';
        // Progress bars end their lines by going back to the beginning; others end them with \r\n.
        if (c == '\n' || c == '\r') {
            if (!line.empty() || (c == '\n' && !is_second_half)) {
                show_line(key, line);
            }
            line.clear();
            continue;
        }
        line += c;
        if (line.size() >= longest_line_bytes) {
            show_line(key, line);
            line.clear();
        }
    }
    std::fflush(file_of(chunk.stream));
    return {};
}

void ProgramLogs::flush()
{
    for (const auto& [key, unfinished] : std::exchange(unfinished_, {})) {
        if (!unfinished.line.empty()) {
            show_line(key, unfinished.line);
        }
    }
    std::fflush(stdout);
}

void ProgramLogs::show_line(const Key& key, std::string_view line)
{
    const auto& [rank, stream] = key;
    if (style_ == LogStyle::json) {
        print_json_line({{"event", "output"},
                         {"rank", rank},
                         {"stream", stream == proto::OutputStream::out ? "stdout" : "stderr"},
                         {"line", base::is_utf8(line) ? std::string(line) : "(bytes that are not UTF-8)"}});
        return;
    }
    const bool has_colour = style_ == LogStyle::coloured;
    const auto prefix =
        (has_colour ? colour_of(rank) : "") + ("[" + std::to_string(rank) + "]") + (has_colour ? "\033[0m " : " ");
    FILE* file = file_of(stream);
    std::fwrite(prefix.data(), 1, prefix.size(), file);
    std::fwrite(line.data(), 1, line.size(), file);
    std::fputc('\n', file);
}

void ProgramLogs::show_plain(proto::OutputStream stream, std::string_view bytes)
{
    std::fwrite(bytes.data(), 1, bytes.size(), file_of(stream));
    std::fflush(file_of(stream));
}

} // namespace sdfleet::sdctl
