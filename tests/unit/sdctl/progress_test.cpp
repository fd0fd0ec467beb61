// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_progress.hpp"
#include "sdctl/progress_text.hpp"
#include "sdctl/text_table.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using sdctl::ProgressMeter;
using namespace std::chrono_literals;

namespace {

proto::ActorReport actor(const std::string& node, std::uint32_t slot, std::uint32_t step)
{
    proto::ActorReport report;
    report.node_id.value = node;
    report.state.slot.value = slot;
    report.state.phase = proto::ActorPhase::ready;
    report.job_id.value = "job";
    report.index.value = 3;
    report.step = step;
    report.steps = 20;
    return report;
}

proto::ItemReport item(std::uint32_t index, proto::ItemState state, std::uint32_t step = 0)
{
    proto::ItemReport report;
    report.index.value = index;
    report.state = state;
    report.step = step;
    return report;
}

} // namespace

TEST_CASE("A meter tells the rate of the last ten seconds and the time left")
{
    ProgressMeter meter(1000);
    CHECK_FALSE(meter.rate());

    meter.add(0ms, 0);
    meter.add(1000ms, 10);
    CHECK(meter.rate().value() == Approx(10));
    CHECK(meter.time_left().value() == 99s);

    for (int second = 2; second <= 30; ++second) {
        meter.add(second * 1000ms, 10 + static_cast<std::uint64_t>(second - 1) * 20);
    }
    CHECK(meter.rate().value() == Approx(20));
}

TEST_CASE("A meter that stands still has no rate, and work undone starts it anew")
{
    ProgressMeter meter(100);
    meter.add(0ms, 50);
    meter.add(5000ms, 50);
    CHECK_FALSE(meter.rate());
    CHECK_FALSE(meter.time_left());

    meter.add(6000ms, 30);
    meter.add(7000ms, 40);
    CHECK(meter.rate().value() == Approx(10));
}

TEST_CASE("Progress counts steps, pictures kept from before, and steps that are drawn again")
{
    sdctl::JobProgress progress(8, 2, 20);
    proto::JobChanges changes;
    changes.job.done = 1;
    changes.items = {item(0, proto::ItemState::done), item(1, proto::ItemState::running, 10)};
    progress.apply(changes, 0ms);

    changes.items = {item(1, proto::ItemState::running, 20), item(2, proto::ItemState::running, 10)};
    progress.apply(changes, 1000ms);

    CHECK(progress.view().done == 3);
    CHECK(progress.view().total == 8);
    CHECK(progress.view().steps_per_second.value() == Approx(20));
    changes.items = {item(2, proto::ItemState::queued)};
    progress.apply(changes, 1100ms);
    CHECK_FALSE(progress.view().steps_per_second); // a lost actor's steps are counted back
}

TEST_CASE("The display is a bar and a line for each actor")
{
    sdctl::ProgressView view{3, 1, 8, 12.34, 42s, "", {actor("node-a", 0, 12), actor("b", 11, 1)}};

    const auto lines = sdctl::progress_lines(view, 100, 10);

    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "[#########---------------] 3/8 pictures, 1 failed, 12.3 steps/s, 0:42 left");
    CHECK(lines[1] == "  node-a/0  drawing 000003, step 12 of 20");
    CHECK(lines[2] == "  b/11      drawing 000003, step 1 of 20");
}

TEST_CASE("The display keeps within its window")
{
    sdctl::ProgressView view{0, 0, 8, {}, {}, "no actor is ready", {}};
    for (std::uint32_t slot = 0; slot < 20; ++slot) {
        view.actors.push_back(actor("node", slot, 1));
    }

    const auto lines = sdctl::progress_lines(view, 30, 5);

    REQUIRE(lines.size() == 5);
    CHECK(lines.back() == "  and 17 more actors");
    for (const auto& line : lines) {
        CHECK(sdctl::display_width(line) <= 30);
    }
}

TEST_CASE("An actor's activity is told in words")
{
    auto report = actor("a", 0, 0);
    report.steps = 0;
    CHECK(sdctl::activity_text(report) == "drawing 000003");
    report.job_id.value.clear();
    CHECK(sdctl::activity_text(report) == "idle");
    report.state.phase = proto::ActorPhase::restarting;
    report.state.detail = "was killed by SIGKILL";
    CHECK(sdctl::activity_text(report) == "restarting: was killed by SIGKILL");
}

TEST_CASE("Without a terminal each picture is a plain line")
{
    CHECK(sdctl::picture_line(3, 8, "000002-44.png", "a blue square", "node-a/0", 512) ==
          "[3/8] 000002-44.png a blue square (node-a/0, 512 ms)");
    CHECK(sdctl::picture_line(1, 1, "f", std::string(200, 'x'), "a/0", 1).size() < 120);
}

TEST_CASE("Durations read like a clock")
{
    CHECK(sdctl::clock_text(0s) == "0:00");
    CHECK(sdctl::clock_text(62s) == "1:02");
    CHECK(sdctl::clock_text(3723s) == "1:02:03");
}
