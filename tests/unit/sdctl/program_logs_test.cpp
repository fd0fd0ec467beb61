// SPDX-License-Identifier: Apache-2.0
// What ranks write, as the user of sdctl launch sees it.
#include "sdctl/program_logs.hpp"

#include "tests/unit/sdctl/captured_output.hpp"

#include <utility>
#include <vector>

using namespace sdfleet;
using sdfleet::sdctl::LogStyle;
using sdfleet::sdctl::ProgramLogs;
using sdfleet::tests::CapturedOutput;
using sdfleet::tests::ScratchFolder;

namespace {

using Stream = proto::OutputStream;

void write(ProgramLogs& logs, std::uint32_t rank, const std::string& bytes, Stream stream = Stream::out)
{
    REQUIRE(logs.write({{rank}, stream, static_cast<std::uint32_t>(bytes.size())}, bytes));
}

/// What rank 0's stdout looks like when it came in these pieces.
std::string shown(const std::vector<std::string>& pieces, LogStyle style = LogStyle::prefixed)
{
    CapturedOutput output;
    ProgramLogs logs(style);
    for (const auto& piece : pieces) {
        write(logs, 0, piece);
    }
    logs.flush();
    return output.take().out;
}

} // namespace

TEST_CASE("each line begins with its rank, and each stream stays its own")
{
    CapturedOutput output;
    ProgramLogs logs(LogStyle::prefixed);
    write(logs, 3, "one\ntwo\n");
    write(logs, 11, "oh\n", Stream::err);
    const auto text = output.take();

    REQUIRE(text.out == "[3] one\n[3] two\n");
    REQUIRE(text.err == "[11] oh\n");
}

TEST_CASE("lines of two ranks do not mix, however they come")
{
    CapturedOutput output;
    ProgramLogs logs(LogStyle::prefixed);
    write(logs, 0, "half ");
    write(logs, 1, "whole\n");
    write(logs, 0, "and half\n");

    REQUIRE(output.take().out == "[1] whole\n[0] half and half\n");
}

TEST_CASE("a last line without an end is shown at the end")
{
    CapturedOutput output;
    ProgramLogs logs(LogStyle::prefixed);
    write(logs, 0, "a\nlast words");
    write(logs, 0, "oops", Stream::err);
    logs.flush();
    logs.flush();
    const auto text = output.take();

    REQUIRE(text.out == "[0] a\n[0] last words\n");
    REQUIRE(text.err == "[0] oops\n");
}

TEST_CASE("a progress bar is shown line by line; lines that end with CR LF are lines")
{
    REQUIRE(shown({"10%\r20%\r", "30%\n"}) == "[0] 10%\n[0] 20%\n[0] 30%\n");
    REQUIRE(shown({"a\r\nb\r\n"}) == "[0] a\n[0] b\n");
    REQUIRE(shown({"a\r", "\nb\r", "\n"}) == "[0] a\n[0] b\n");
    REQUIRE(shown({"a\n\nb\n"}) == "[0] a\n[0] \n[0] b\n");
    REQUIRE(shown({"\r\r50%"}) == "[0] 50%\n");
}

TEST_CASE("a line without end is shown in pieces, so that memory has an end")
{
    const auto text = shown({std::string(100'000, 'x'), std::string(50'000, 'x')});

    std::size_t lines = 0;
    for (std::size_t begin = 0; begin < text.size(); ++lines) {
        const auto end = text.find('\n', begin);
        REQUIRE(end - begin <= 64 * 1024 + 4);
        begin = end + 1;
    }
    REQUIRE(lines == 3);
}

TEST_CASE("without prefix the bytes are shown as they are, at once")
{
    REQUIRE(shown({"a\rb", "\n\nc"}, LogStyle::plain) == "a\rb\n\nc");
}

TEST_CASE("in colour each rank has one of its own, and the line itself none")
{
    CapturedOutput output;
    ProgramLogs logs(LogStyle::coloured);
    write(logs, 0, "x\n");
    write(logs, 1, "x\n");
    const auto text = output.take().out;

    REQUIRE(text == "\033[36m[0]\033[0m x\n\033[35m[1]\033[0m x\n");
}

TEST_CASE("as JSON each line is a document, and bytes that are no text do not break it")
{
    const auto text = shown({"say \"hi\"\n\xff\xfe\n"}, LogStyle::json);

    REQUIRE(text ==
            "{\"event\":\"output\",\"rank\":0,\"stream\":\"stdout\",\"line\":\"say \\\"hi\\\"\"}\n"
            "{\"event\":\"output\",\"rank\":0,\"stream\":\"stdout\",\"line\":\"(bytes that are not UTF-8)\"}\n");
}

TEST_CASE("gathered logs hold a rank's bytes as they are, both streams, and begin anew with each program")
{
    const ScratchFolder folder;
    const auto logs_folder = folder.path() / "new" / "logs";
    folder.write("new/logs/rank-0.log", "of an earlier program");
    CapturedOutput output;
    ProgramLogs logs(LogStyle::prefixed);
    REQUIRE(logs.gather_in(logs_folder));
    write(logs, 0, "a\rb");
    write(logs, 0, "!\n", Stream::err);
    write(logs, 12, "other\n");
    output.take();

    REQUIRE(folder.read("new/logs/rank-0.log") == "a\rb!\n");
    REQUIRE(folder.read("new/logs/rank-12.log") == "other\n");
}

TEST_CASE("logs that cannot be written are an error that names the file")
{
    const ScratchFolder folder;
    folder.write("file", "");
    ProgramLogs logs(LogStyle::prefixed);
    const auto made = logs.gather_in(folder.path() / "file" / "logs");
    REQUIRE_FALSE(made);
    REQUIRE(made.error().code == base::ExitCode::usage);

    std::filesystem::create_directories(folder.path() / "logs" / "rank-0.log"); // a folder where the file should be
    REQUIRE(logs.gather_in(folder.path() / "logs"));
    const auto written = logs.write({{0}, Stream::out, 1}, "x");
    REQUIRE_FALSE(written);
    REQUIRE(written.error().message.find("rank-0.log") != std::string::npos);
}
