// SPDX-License-Identifier: Apache-2.0
// What people and scripts read. The JSON keys are an interface: a change here is a change for users.
#include "sdctl/job_view.hpp"
#include "sdctl/node_view.hpp"
#include "sdctl/run_report.hpp"
#include "sdctl/text_table.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;

namespace {

std::vector<std::string> keys_of(const sdctl::Json& object)
{
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) {
        keys.push_back(key);
    }
    return keys;
}

proto::JobSummary job()
{
    proto::JobSummary summary;
    summary.job_id.value = "k3v9";
    summary.kind = "diffusion";
    summary.model = "tiny";
    summary.state = proto::JobState::running;
    summary.total = 8;
    summary.done = 3;
    summary.failed = 1;
    summary.created_unix_ms = 1'700'000'000'000;
    summary.waiting_for = "an actor";
    return summary;
}

proto::NodeReport node()
{
    proto::NodeReport report;
    report.node_id.value = "node-a";
    report.state = proto::NodeState::suspect;
    report.silent_ms = 3'000;
    report.models = {{"tiny", "f"}};
    report.actors.resize(1);
    report.actors[0].node_id.value = "node-a";
    report.actors[0].state.device = "cpu";
    report.actors[0].state.phase = proto::ActorPhase::ready;
    report.actors[0].state.pid = 4321;
    return report;
}

} // namespace

TEST_CASE("Columns are as wide as their widest cell")
{
    sdctl::TextTable table({"A", "BB", "C"});
    table.add({"gr\xC3\xBCn", "x", "two\nlines"});
    table.add({"1", "", ""});

    CHECK(table.to_text() == "A     BB  C\ngr\xC3\xBCn  x   two lines\n1\n");
}

TEST_CASE("A cut text says that it was cut, and never inside a character")
{
    CHECK(sdctl::fit("abc", 3) == "abc");
    CHECK(sdctl::fit("abcd", 3) == "ab…");
    CHECK(sdctl::fit("\xC3\xBC\xC3\xBC\xC3\xBC", 2) == "\xC3\xBC…");
    CHECK(sdctl::fit("abc", 0).empty());
    CHECK(sdctl::fit("a\033[31mb", 20) == "a [31mb");
}

TEST_CASE("A job as JSON and as a line")
{
    const auto view = sdctl::view_of(job());

    CHECK(keys_of(to_json(view)) == std::vector<std::string>{"job", "kind", "model", "state", "total", "queued",
                                                             "running", "done", "failed", "cancelled", "created",
                                                             "waiting_for"});
    CHECK(to_json(view).at("created") == "2023-11-14T22:13:20Z");
    CHECK(sdctl::job_line(view) == "job k3v9: running, 3 of 8 done, 1 failed; waiting: an actor");
}

TEST_CASE("A job's pictures as a table")
{
    proto::ItemReport report;
    report.index.value = 2;
    report.state = proto::ItemState::running;
    report.step = 4;
    report.steps = 20;
    report.attempts = 1;
    report.node_id.value = "node-a";

    const auto text = sdctl::items_text({sdctl::view_of(report, {"a dog", 44, {}})});

    CHECK(text == "INDEX  STATE         TRIES  ACTOR     MS  SEED  PROMPT  ERROR\n"
                  "2      running 4/20  1      node-a/0      44    a dog\n");
}

TEST_CASE("A node as JSON and as a table")
{
    const auto view = sdctl::view_of(node());
    const auto json = to_json(view);

    CHECK(keys_of(json) == std::vector<std::string>{"node", "state", "is_draining", "detail", "hostname", "software",
                                                    "silent_ms", "devices", "models", "actors"});
    CHECK(json.at("actors").at(0).at("state") == "ready");
    CHECK(json.at("actors").at(0).at("actor") == "node-a/0");
    CHECK(sdctl::nodes_text({view}) ==
          "NODE    STATE             ACTOR     DEVICE  ACTIVITY  DONE  RESTARTS  PID   MODELS\n"
          "node-a  suspect for 0:03  node-a/0  cpu     idle      0     0         4321  tiny\n");
}

TEST_CASE("A model whose folders differ between nodes is pointed out")
{
    proto::ModelReport report{"tiny", {"f", "g"}, {{"node-a"}, {"node-b"}}, 2};

    CHECK(sdctl::models_text({sdctl::view_of(report)}).find("folders differ") != std::string::npos);
    CHECK(to_json(sdctl::view_of(report)).at("nodes").size() == 2);
}

TEST_CASE("A run's report separates pictures from failures")
{
    sdctl::RunReport report{"k3v9", "failed", "out", 2, 0, {}};
    report.entries[0].file = "000000-0.png";
    report.entries[1].index = 1;
    report.entries[1].prompt = "a dog";
    report.entries[1].error = "out of memory";

    CHECK(sdctl::pictures_text(report) == "out/000000-0.png\n");
    CHECK(sdctl::summary_line(report) == "1 of 2 pictures are in out, on one sheet in grid.png");
    CHECK(sdctl::failures_text(report) == "failed: 1 (a dog): out of memory\n");
    CHECK(to_json(report).at("pictures").size() == 1);
    CHECK(to_json(report).at("failures").at(0).at("error") == "out of memory");
}
