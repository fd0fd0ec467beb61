// SPDX-License-Identifier: Apache-2.0
// `sdctl run` against a coordinator that does as it is told.
#include "base/sha256.hpp"
#include "sdctl/manifest.hpp"
#include "sdctl/picture_run.hpp"
#include "tests/unit/client/fake_coordinator.hpp"
#include "tests/unit/sdctl/scratch_folder.hpp"

#include "tests/catch.hpp"

namespace proto = sdfleet::proto;
namespace sdctl = sdfleet::sdctl;
using sdfleet::base::ExitCode;
using sdfleet::tests::FakeCoordinator;
using sdfleet::tests::packet_of;
using sdfleet::tests::ScratchFolder;

namespace {

const std::string picture = "picture";
const std::string picture_hash = sdfleet::base::sha256_hex(std::string_view(picture));

/// Takes any job at once and ends its items as the test says.
struct Fleet {
    std::vector<proto::ItemReport> items;
    proto::JobState end = proto::JobState::done;
    std::optional<proto::Submit> submitted;
    bool sends_damaged_bytes = false;

    void add_item(proto::ItemState state, const std::string& error = "")
    {
        proto::ItemReport item;
        item.index.value = static_cast<std::uint32_t>(items.size());
        item.state = state;
        item.sha256 = state == proto::ItemState::done ? picture_hash : "";
        item.node_id.value = "node-a";
        item.error = error;
        items.push_back(item);
    }

    std::optional<proto::Packet> operator()(const proto::Message& message)
    {
        if (const auto* submit = std::get_if<proto::Submit>(&message)) {
            submitted = *submit;
            return packet_of(proto::Submitted{summary(), false});
        }
        if (std::holds_alternative<proto::ListModels>(message)) {
            return packet_of(proto::ModelList{{{"tiny", {"print"}, {{"node-a"}}, 1}}});
        }
        if (const auto* fetch = std::get_if<proto::FetchArtifact>(&message)) {
            auto packet = packet_of(proto::Artifact{fetch->sha256});
            packet.blobs.push_back(proto::Blob::of(sends_damaged_bytes ? "damage" : picture));
            return packet;
        }
        if (std::holds_alternative<proto::WatchJob>(message)) {
            return packet_of(proto::JobChanges{summary(), items, 9, false, {}});
        }
        return std::nullopt;
    }

    proto::JobSummary summary() const
    {
        proto::JobSummary job;
        job.job_id.value = "k3v9";
        job.state = end;
        job.total = static_cast<std::uint32_t>(items.size());
        return job;
    }
};

struct Outcome {
    ExitCode code = ExitCode::ok;
    std::string message;
};

Outcome run(Fleet& fleet, const ScratchFolder& folder, std::vector<proto::ItemSpec> items)
{
    FakeCoordinator coordinator(
        sdfleet::tests::welcoming([&fleet](const proto::Message& message) { return fleet(message); }));
    sdctl::RunOptions options;
    options.coordinator = coordinator.endpoint();
    options.folder = folder.path() / "out";
    options.job_id = "k3v9";
    const auto result = sdctl::draw_pictures({"", proto::Split::pull, {}, std::move(items)}, options);
    return result ? Outcome{*result, ""} : Outcome{result.error().code, result.error().message};
}

} // namespace

TEST_CASE("Pictures that fail are noted and the others kept")
{
    const ScratchFolder folder;
    Fleet fleet;
    fleet.end = proto::JobState::failed;
    fleet.add_item(proto::ItemState::done);
    fleet.add_item(proto::ItemState::failed, "not a number in the picture");

    const auto outcome = run(fleet, folder, {{"a", 5, {}}, {"b", 6, {}}});

    CHECK(outcome.code == ExitCode::job_failed);
    CHECK(folder.read("out/000000-5.bin") == picture);
    const auto entries = sdctl::Manifest::load(folder.path() / "out").value().entries();
    CHECK(entries.at(0).model == "tiny");
    CHECK(entries.at(1).error == "not a number in the picture");
    CHECK(fleet.submitted->spec.model == "tiny");
}

TEST_CASE("A second run hands in only what failed before")
{
    const ScratchFolder folder;
    Fleet first;
    first.end = proto::JobState::failed;
    first.add_item(proto::ItemState::done);
    first.add_item(proto::ItemState::failed, "bad luck");
    run(first, folder, {{"a", 5, {}}, {"b", 6, {}}});
    Fleet second;
    second.add_item(proto::ItemState::done);

    const auto outcome = run(second, folder, {{"a", 5, {}}, {"b", 6, {}}});

    CHECK(outcome.code == ExitCode::ok);
    CHECK(second.submitted->spec.items == std::vector<proto::ItemSpec>{{"b", 6, {}}});
    CHECK(folder.read("out/000001-6.bin") == picture);
    CHECK(sdctl::Manifest::load(folder.path() / "out").value().entries().size() == 2);
}

TEST_CASE("Bytes that are not the artifact never reach the folder")
{
    const ScratchFolder folder;
    Fleet fleet;
    fleet.sends_damaged_bytes = true;
    fleet.add_item(proto::ItemState::done);

    const auto outcome = run(fleet, folder, {{"a", 5, {}}});

    CHECK(outcome.code == ExitCode::failed);
    CHECK(outcome.message.find("sdctl fetch k3v9 --out DIR") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder.path() / "out/000000-5.bin"));
}
