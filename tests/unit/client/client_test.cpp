// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.hpp"
#include "client/client.hpp"
#include "client/job_watch.hpp"
#include "tests/unit/client/fake_coordinator.hpp"

#include "tests/catch.hpp"

#include <filesystem>
#include <mutex>
#include <vector>

#include <unistd.h>

namespace client = sdfleet::client;
namespace proto = sdfleet::proto;
using sdfleet::base::ExitCode;
using sdfleet::tests::FakeCoordinator;
using sdfleet::tests::packet_of;
using sdfleet::tests::welcoming;
using namespace std::chrono_literals;

namespace {

client::ClientOptions options_for(const std::string& endpoint)
{
    client::ClientOptions options;
    options.endpoint = endpoint;
    return options;
}

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

std::optional<proto::Packet> silence(const proto::Message&)
{
    return std::nullopt;
}

} // namespace

TEST_CASE("A client is welcomed and gets answers to its questions")
{
    FakeCoordinator coordinator(welcoming([](const proto::Message& message) -> std::optional<proto::Packet> {
        if (std::holds_alternative<proto::ListModels>(message)) {
            return packet_of(proto::ModelList{{{"tiny", {"f"}, {{"node-a"}}, 1}}});
        }
        return std::nullopt;
    }));

    auto connected = client::Client::connect(options_for(coordinator.endpoint()));
    REQUIRE(connected);
    const auto models = connected->list_models({});

    REQUIRE(models);
    REQUIRE(models->models.size() == 1);
    CHECK(models->models[0].name == "tiny");
    CHECK(connected->epoch() == 1);
}

TEST_CASE("Where nobody listens, the error names the endpoint and says what to do")
{
    auto options = options_for("ipc:///tmp/sdfleet-nobody-listens-here." + std::to_string(::getpid()));
    options.connect_patience = 300ms;

    const auto connected = client::Client::connect(options);

    REQUIRE_FALSE(connected);
    CHECK(connected.error().code == ExitCode::unreachable);
    CHECK(contains(connected.error().message, options.endpoint));
    CHECK(contains(connected.error().message, "--coordinator"));
}

TEST_CASE("Where nobody answers, the error says what a key has to do with it")
{
    auto options = options_for("tcp://192.0.2.1:7420"); // TEST-NET-1: nobody's
    options.connect_patience = 300ms;
    const auto without_key = client::Client::connect(options);
    options.key =
        sdfleet::net::CurveClient{sdfleet::net::make_curve_key_pair().public_key, sdfleet::net::make_curve_key_pair()};
    const auto with_key = client::Client::connect(options);

    REQUIRE_FALSE(without_key);
    CHECK(without_key.error().code == ExitCode::unreachable);
    CHECK(contains(without_key.error().message, "--key-file"));
    REQUIRE_FALSE(with_key);
    CHECK(with_key.error().code == ExitCode::unreachable);
    CHECK(contains(with_key.error().message, "sdctl keys list"));
}

TEST_CASE("A coordinator that says nothing is unreachable")
{
    FakeCoordinator coordinator(silence);
    auto options = options_for(coordinator.endpoint());
    options.connect_patience = 300ms;

    const auto connected = client::Client::connect(options);

    REQUIRE_FALSE(connected);
    CHECK(connected.error().code == ExitCode::unreachable);
}

TEST_CASE("By default the user hears within five seconds that nobody answers")
{
    CHECK(client::ClientOptions{}.connect_patience <= 4500ms);
}

TEST_CASE("What is no endpoint is a usage error")
{
    const auto connected = client::Client::connect(options_for("localhost"));

    REQUIRE_FALSE(connected);
    CHECK(connected.error().code == ExitCode::usage);
    CHECK(contains(connected.error().message, "localhost"));
}

TEST_CASE("A coordinator of another protocol version is refused with both ranges named")
{
    FakeCoordinator coordinator([](const proto::Message&) {
        return packet_of(proto::Refused{proto::RefusalReason::protocol_version, "too old", 7, 9});
    });

    const auto connected = client::Client::connect(options_for(coordinator.endpoint()));

    REQUIRE_FALSE(connected);
    CHECK(connected.error().code == ExitCode::failed);
    CHECK(contains(connected.error().message, "7 to 9"));
    CHECK(contains(connected.error().message, "1 to 1"));
}

TEST_CASE("A refused request becomes an error with the coordinator's own words")
{
    const auto code_for = [](proto::RequestError error) {
        FakeCoordinator coordinator(welcoming([error](const proto::Message&) {
            return packet_of(proto::RequestFailed{error, "because", 0});
        }));
        auto connected = client::Client::connect(options_for(coordinator.endpoint()));
        REQUIRE(connected);
        const auto answer = connected->submit({{"job"}, {}});
        REQUIRE_FALSE(answer);
        CHECK(answer.error().message == "because");
        return answer.error().code;
    };

    CHECK(code_for(proto::RequestError::invalid) == ExitCode::usage);
    CHECK(code_for(proto::RequestError::unknown_job) == ExitCode::failed);
    CHECK(code_for(proto::RequestError::unservable) == ExitCode::failed);
    CHECK(code_for(proto::RequestError::conflict) == ExitCode::failed);
}

TEST_CASE("A busy coordinator is asked again later")
{
    int asked = 0;
    FakeCoordinator coordinator(welcoming([&asked](const proto::Message&) {
        return ++asked < 3 ? packet_of(proto::RequestFailed{proto::RequestError::overloaded, "busy", 20})
                           : packet_of(proto::JobList{{}, 7});
    }));
    auto connected = client::Client::connect(options_for(coordinator.endpoint()));
    REQUIRE(connected);

    const auto jobs = connected->list_jobs({});

    REQUIRE(jobs);
    CHECK(jobs->total == 7);
}

TEST_CASE("A coordinator that stays busy beyond the patience is a failure, not a silence")
{
    FakeCoordinator coordinator(welcoming([](const proto::Message&) {
        return packet_of(proto::RequestFailed{proto::RequestError::overloaded, "busy", 20});
    }));
    auto options = options_for(coordinator.endpoint());
    options.request_patience = 200ms;
    auto connected = client::Client::connect(options);
    REQUIRE(connected);

    const auto jobs = connected->list_jobs({});

    REQUIRE_FALSE(jobs);
    CHECK(jobs.error() == sdfleet::base::Error{ExitCode::failed, "busy"});
}

TEST_CASE("A client that was forgotten says hello again and repeats its question")
{
    int hellos = 0;
    FakeCoordinator coordinator([&hellos](const proto::Message& message) {
        if (std::holds_alternative<proto::ClientHello>(message)) {
            ++hellos;
            return sdfleet::tests::welcome();
        }
        return hellos < 2 ? packet_of(proto::Refused{}) : packet_of(proto::JobList{{}, 3});
    });
    auto connected = client::Client::connect(options_for(coordinator.endpoint()));
    REQUIRE(connected);

    const auto jobs = connected->list_jobs({});

    REQUIRE(jobs);
    CHECK(jobs->total == 3);
}

TEST_CASE("A watch survives the restart of the coordinator and begins again from the first change")
{
    const auto folder = std::filesystem::temp_directory_path() / ("sdfleet-client-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string endpoint = "ipc://" + (folder / "socket").string();
    std::mutex mutex;
    std::vector<std::uint64_t> asked_after;
    const auto remember = [&](const proto::Message& message) {
        const std::lock_guard lock(mutex);
        asked_after.push_back(std::get<proto::WatchJob>(message).after_change);
        return asked_after.size();
    };
    const auto changes = [](std::uint64_t last_change) {
        proto::JobChanges message;
        message.last_change = last_change;
        return packet_of(message);
    };
    std::optional<FakeCoordinator> coordinator;
    coordinator.emplace(welcoming([&](const proto::Message& message) -> std::optional<proto::Packet> {
                            return remember(message) == 1 ? std::optional(changes(40)) : std::nullopt;
                        }),
                        endpoint);
    auto connected = client::Client::connect(options_for(endpoint));
    REQUIRE(connected);
    client::JobWatch watch(*connected, {"job"});
    REQUIRE(watch.next(0ms));
    std::thread restart([&] {
        while (coordinator->messages() < 3) { // the hello, the first watch, and the second, which gets no answer
            std::this_thread::sleep_for(1ms);
        }
        coordinator.reset();
        coordinator.emplace(welcoming(
                                [&](const proto::Message& message) {
                                    remember(message);
                                    return changes(5);
                                },
                                2),
                            endpoint);
    });

    const auto after_restart = watch.next(100ms);
    restart.join();

    REQUIRE(after_restart);
    CHECK(after_restart->last_change == 5);
    CHECK(connected->epoch() == 2);
    CHECK(asked_after == std::vector<std::uint64_t>{0, 40, 0});
    std::filesystem::remove_all(folder);
}

TEST_CASE("A coordinator that does not come back is unreachable after the request's patience")
{
    std::optional<FakeCoordinator> coordinator;
    coordinator.emplace(welcoming(silence));
    auto options = options_for(coordinator->endpoint());
    options.request_patience = 300ms;
    auto connected = client::Client::connect(options);
    REQUIRE(connected);
    coordinator.reset();

    const auto jobs = connected->list_jobs({});

    REQUIRE_FALSE(jobs);
    CHECK(jobs.error().code == ExitCode::unreachable);
}

TEST_CASE("A waiting call ends when the user interrupts")
{
    FakeCoordinator coordinator(welcoming(silence));
    bool is_interrupted = false;
    auto options = options_for(coordinator.endpoint());
    options.is_interrupted = [&is_interrupted] { return is_interrupted; };
    auto connected = client::Client::connect(options);
    REQUIRE(connected);
    is_interrupted = true;

    const auto jobs = connected->list_jobs({});

    REQUIRE_FALSE(jobs);
    CHECK(jobs.error().code == ExitCode::interrupted);
}

TEST_CASE("An artifact is accepted only when its bytes have the hash asked for")
{
    FakeCoordinator coordinator(welcoming([](const proto::Message& message) {
        auto packet = packet_of(proto::Artifact{std::get<proto::FetchArtifact>(message).sha256});
        packet.blobs.push_back(proto::Blob::of("picture"));
        return packet;
    }));
    auto connected = client::Client::connect(options_for(coordinator.endpoint()));
    REQUIRE(connected);

    const auto good = connected->fetch_artifact(sdfleet::base::sha256_hex(std::string_view("picture")));
    const auto bad = connected->fetch_artifact(std::string(64, 'a'));

    REQUIRE(good);
    CHECK(good->bytes.size() == 7);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().code == ExitCode::failed);
    CHECK(contains(bad.error().message, "aaaa"));
}
