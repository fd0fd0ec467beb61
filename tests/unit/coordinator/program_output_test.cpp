// SPDX-License-Identifier: Apache-2.0
// What ranks write, on its way to the client: whole, in order, once, and never more than somebody takes.
#include "tests/unit/coordinator/program_story.hpp"

using namespace sdfleet;
using namespace sdfleet::coordinator;

namespace {

struct Writing : ProgramStory {
    explicit Writing(std::uint32_t ranks = 2) : ProgramStory({{"a", 1}, {"b", 1}})
    {
        launch("p", program_of(ranks));
        for (std::uint32_t i = 0; i < ranks; ++i) {
            start(i == 0 ? "a" : "b");
        }
    }

    /// A node sends output as its agent would: each piece begins where the one before ended.
    void write(const std::string& node, std::uint32_t rank, const std::string& text,
               const proto::ProgramRun& run = run_of("p"))
    {
        const proto::OutputChunk chunk{{rank}, proto::OutputStream::out, static_cast<std::uint32_t>(text.size())};
        auto& offset = offsets[{node, run}];
        say(node, proto::ProgramOutput{run, offset, {chunk}}, 0, {proto::Blob::of(text)});
        offset += proto::weight_of(chunk);
    }

    struct News {
        proto::ProgramChanges changes;
        std::string bytes;
    };

    /// The client takes what it was given before, and gets what there is.
    News read(std::uint64_t taken)
    {
        say("client", proto::WatchProgram{{"p"}, taken, 0, 0});
        take<proto::ProgramChanges>("client");
        const auto& send = sends.back();
        News news{std::get<proto::ProgramChanges>(send.message), ""};
        for (const auto& blob : send.blobs) {
            news.bytes.append(reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size());
        }
        return news;
    }

    std::map<std::pair<std::string, proto::ProgramRun>, std::uint64_t> offsets;
};

} // namespace

TEST_CASE("output reaches the client in the order in which it came, and its nodes hear what was taken")
{
    Writing world;
    world.write("a", 0, "from 0");
    world.write("b", 1, "from 1, ");
    world.write("b", 1, "more");

    const auto news = world.read(0);
    REQUIRE(news.bytes == "from 0from 1, more");
    REQUIRE(news.changes.output.size() == 3);
    REQUIRE(news.changes.output[1] == proto::OutputChunk{{1}, proto::OutputStream::out, 8});
    REQUIRE(world.take<proto::OutputTaken>("a").empty());

    world.read(news.changes.last_output);

    REQUIRE(world.take_one<proto::OutputTaken>("a").until == world.offsets[{"a", run_of("p")}]);
    REQUIRE(world.take_one<proto::OutputTaken>("b").until == world.offsets[{"b", run_of("p")}]);
    REQUIRE(world.read(news.changes.last_output).bytes.empty());
}

TEST_CASE("what the client did not take, an answer was lost, it gets again")
{
    Writing world;
    world.write("a", 0, "once");

    world.read(0);

    REQUIRE(world.read(0).bytes == "once");
}

TEST_CASE("a client that waits gets output at once")
{
    Writing world;
    const auto seen = world.look("p").last_change;
    world.say("client", proto::WatchProgram{{"p"}, 0, seen, 5'000});
    REQUIRE(world.take<proto::ProgramChanges>("client").empty());

    world.write("a", 0, "now");

    REQUIRE(world.take_one<proto::ProgramChanges>("client").output.size() == 1);
}

TEST_CASE("output that a reconnected node sends again is dropped, what is new in it is not")
{
    Writing world(1);
    world.write("a", 0, "one");
    world.offsets.clear();
    world.write("a", 0, "one");
    world.write("a", 0, "two");

    REQUIRE(world.read(0).bytes == "onetwo");
}

TEST_CASE("a node that sends again what was taken is told so again: or its window would stay full for ever")
{
    Writing world(1);
    world.write("a", 0, "one");
    world.write("a", 0, "two");
    world.read(world.read(0).changes.last_output);
    const auto taken = world.take_one<proto::OutputTaken>("a");

    world.offsets.clear();
    world.write("a", 0, "one");

    REQUIRE(world.take_one<proto::OutputTaken>("a") == taken);
    world.write("a", 0, "two");
    world.write("a", 0, "three");
    REQUIRE(world.read(0).bytes == "three");
}

TEST_CASE("after a piece that was lost nothing counts until it was said again")
{
    Writing world(1);
    world.offsets[{"a", run_of("p")}] = 128 + 3;
    world.write("a", 0, "two");
    REQUIRE(world.read(0).bytes.empty());

    world.offsets.clear();
    world.write("a", 0, "one");
    world.write("a", 0, "two");

    REQUIRE(world.read(0).bytes == "onetwo");
}

TEST_CASE("a node may not send more than its window before some of it was taken")
{
    Writing world(1);
    const std::string piece(32 * 1024, 'x');
    for (int i = 0; i < 20; ++i) {
        world.write("a", 0, piece);
    }

    const auto news = world.read(0);
    REQUIRE(news.bytes.size() == 7 * piece.size());

    world.offsets[{"a", run_of("p")}] = 7 * (piece.size() + 128);
    world.read(news.changes.last_output);
    world.write("a", 0, piece);
    REQUIRE(world.read(news.changes.last_output).bytes.size() == piece.size());
}

TEST_CASE("an answer holds a bounded number of pieces, however small they are")
{
    ProgramOutputQueue queue;
    for (int i = 0; i < 10'000; ++i) {
        queue.push({run_of("p"), {"a"}, 0, {{0}, proto::OutputStream::out, 1}, proto::Blob::of("x")});
    }

    proto::ProgramChanges changes;
    std::string bytes;
    queue.append_to(changes, bytes, 129 * 100);

    REQUIRE(bytes.size() == 100);
    REQUIRE(changes.output.size() == 100);
    REQUIRE(changes.last_output == 100);
}

TEST_CASE("output whose lengths do not fit its bytes is not believed")
{
    Writing world(1);
    const proto::OutputChunk chunk{{0}, proto::OutputStream::out, 1'000'000};
    world.say("a", proto::ProgramOutput{run_of("p"), 0, {chunk}}, 0, {proto::Blob::of("short")});
    world.say("a", proto::ProgramOutput{run_of("p"), 0, {{{0}, proto::OutputStream::out, 5}}});

    REQUIRE(world.read(0).bytes.empty());
    world.write("a", 0, "well");
    REQUIRE(world.read(0).bytes == "well");
}

TEST_CASE("output that nobody will read is taken at once, so that the ranks can end")
{
    Writing world(1);
    world.write("a", 0, "before");
    for (int i = 0; i < 31; ++i) { // the client is silent
        world.beat("a");
        world.beat("b");
        world.wait(500);
    }
    REQUIRE(world.take_one<proto::OutputTaken>("a").until == world.offsets[{"a", run_of("p")}]);

    world.write("a", 0, "after");
    REQUIRE(world.take_one<proto::OutputTaken>("a").until == world.offsets[{"a", run_of("p")}]);

    world.write("b", 0, "unknown", run_of("q"));
    REQUIRE(world.take_one<proto::OutputTaken>("b").run == run_of("q"));
}

TEST_CASE("the last words of a try that failed are not lost when the next one begins")
{
    Writing writing(1);
    auto spec = program_of(1);
    spec.max_restarts = 1;
    writing.end("a", run_of("p"));
    writing.launch("r", spec);
    writing.start("a");
    writing.write("a", 0, "I die", run_of("r"));
    writing.exit("a", run_of("r"), 0, 1);
    writing.gone("a", run_of("r"));
    writing.start("a");
    writing.write("a", 0, "I live", run_of("r", 2));

    writing.say("client", proto::WatchProgram{{"r"}, 0, 0, 0});
    const auto news = writing.take_one<proto::ProgramChanges>("client");
    REQUIRE(news.output.size() == 2);
    writing.say("client", proto::WatchProgram{{"r"}, news.last_output, 0, 0});

    const auto taken = writing.take<proto::OutputTaken>("a");
    REQUIRE(taken.size() == 2);
    REQUIRE(taken[0].run == run_of("r", 1));
    REQUIRE(taken[1].run == run_of("r", 2));
}
