// SPDX-License-Identifier: Apache-2.0
// What ranks write, from their pipes to the coordinator: no more than somebody takes, and nothing twice or not at all.
#include "tests/unit/agent/rank_story.hpp"

using namespace sdfleet;
using namespace sdfleet::agent;
using namespace std::chrono_literals;

TEST_CASE("what a rank writes goes to the coordinator piece by piece, each at its offset")
{
    RankStory story(2);
    story.start(2);
    REQUIRE(story.is_reading(0));
    REQUIRE(story.is_reading(1, proto::OutputStream::err));
    story.forget();

    story.wrote(0, "hello");
    story.wrote(1, "oh!", proto::OutputStream::err);

    const auto output = story.sent<proto::ProgramOutput>();
    REQUIRE(output.size() == 2);
    REQUIRE(output[0].offset == 0);
    REQUIRE(output[0].chunks == std::vector<proto::OutputChunk>{{{0}, proto::OutputStream::out, 5}});
    REQUIRE(output[1].offset == proto::weight_of(output[0].chunks[0]));
    REQUIRE(output[1].chunks == std::vector<proto::OutputChunk>{{{1}, proto::OutputStream::err, 3}});
    REQUIRE(story.is_reading(0));
    REQUIRE(story.is_reading(1, proto::OutputStream::err));
}

TEST_CASE("no more output is under way than the window allows, and each stream holds one piece beyond it")
{
    const std::string piece(32 * 1024, 'x');
    constexpr std::uint32_t ranks = 8;
    RankStory story(ranks);
    story.start(ranks);
    story.forget();
    for (std::uint32_t rank = 0; rank < ranks; ++rank) { // all of them write at once, all that was read for
        story.wrote(rank, piece);
        story.wrote(rank, piece, proto::OutputStream::err);
    }

    std::uint64_t under_way = 0;
    for (const auto& output : story.sent<proto::ProgramOutput>()) {
        under_way += proto::weight_of(output.chunks.at(0));
    }
    REQUIRE(under_way <= proto::output_window);
    REQUIRE(story.is_reading(0));
    REQUIRE_FALSE(story.is_reading(7)); // it waits with its piece

    story.forget();
    story.coordinator_says(proto::OutputTaken{the_run, under_way});
    const auto rest = story.sent<proto::ProgramOutput>();
    REQUIRE(rest.front().offset == under_way);
    REQUIRE(rest.front().chunks[0].rank == proto::Rank{3}); // in the order in which it was written
    REQUIRE(story.is_reading(3, proto::OutputStream::err));
}

TEST_CASE("a rank that says nothing does not keep others from talking")
{
    constexpr std::uint32_t ranks = 16;
    RankStory story(ranks);
    story.start(ranks);
    const std::string piece(32 * 1024, 'x');

    for (int i = 0; i < 100; ++i) {
        story.forget();
        story.wrote(3, piece);
        const auto sent = story.sent<proto::ProgramOutput>();
        REQUIRE(sent.size() == 1);
        REQUIRE(story.is_reading(3));
        story.coordinator_says(proto::OutputTaken{the_run, sent[0].offset + proto::weight_of(sent[0].chunks.at(0))});
    }
}

TEST_CASE("output of which nothing is taken for long is sent again, cut as before")
{
    RankStory story(1);
    story.start(1);
    story.wrote(0, "one");
    story.wrote(0, "two");
    const auto before = story.sent<proto::ProgramOutput>();
    story.forget();
    story.pass_in_peace(9s);
    REQUIRE(story.sent<proto::ProgramOutput>().empty());
    story.coordinator_says(proto::OutputTaken{the_run, before[1].offset});
    story.pass_in_peace(9s);
    REQUIRE(story.sent<proto::ProgramOutput>().empty());

    story.pass_in_peace(1s);

    REQUIRE(story.sent<proto::ProgramOutput>() == std::vector{before[1]});
    story.coordinator_says(proto::OutputTaken{the_run, before[1].offset + 131});
    story.forget();
    story.pass_in_peace(30s);
    REQUIRE(story.sent<proto::ProgramOutput>().empty());
}

TEST_CASE("a run is gone only when all that it wrote was sent")
{
    RankStory story(1);
    story.start(1);
    const std::string piece(32 * 1024, 'x');
    for (int i = 0; i < 8; ++i) {
        story.wrote(0, piece);
    }
    story.ended(0);
    story.wrote(0, "", proto::OutputStream::err);
    story.pass_in_peace(5s);
    REQUIRE(story.sent<proto::RanksGone>().empty());

    story.coordinator_says(proto::OutputTaken{the_run, 4 * (piece.size() + 128)});
    REQUIRE(story.sent<proto::ProgramOutput>().size() == 8);
    story.wrote(0, "");

    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
}

TEST_CASE("output that nobody takes for long after the end is dropped, but read, so that its streams are closed")
{
    RankStory story(1);
    story.start(1);
    const std::string piece(32 * 1024, 'x');
    for (int i = 0; i < 8; ++i) {
        story.wrote(0, piece);
    }
    story.ended(0);
    story.wrote(0, "", proto::OutputStream::err);
    story.forget();

    story.pass_in_peace(30s);

    REQUIRE(story.sent<proto::RanksGone>().size() == 1);
    REQUIRE(story.is_reading(0));
    story.forget();
    story.wrote(0, "the rest of what was in the pipe");
    REQUIRE(story.is_reading(0));
    REQUIRE(story.sent<proto::ProgramOutput>().empty());
}

TEST_CASE("the streams of a run that was killed are read to their ends, however much is still in them")
{
    RankStory story(1);
    story.start(1);
    story.pass(6s); // no lease any more
    story.join(2);
    story.ended(0, {0, 9, "was killed by SIGKILL"});
    story.forget();

    for (int i = 0; i < 5; ++i) {
        story.wrote(0, "much in the pipe");
        REQUIRE(story.effects_of<ReadOutput>().size() == static_cast<std::size_t>(i) + 1);
    }
    story.close_streams(0);
    REQUIRE(story.effects_of<ReadOutput>().size() == 5);
    REQUIRE(story.sent<proto::ProgramOutput>().empty());
}
