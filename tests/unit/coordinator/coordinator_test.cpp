// SPDX-License-Identifier: Apache-2.0
// The whole daemon over real sockets and a real disk; agent and client are made by hand.
#include "coordinator/coordinator.hpp"

#include "base/atomic_file.hpp"
#include "base/sha256.hpp"
#include "net/socket.hpp"
#include "tests/catch.hpp"
#include "tests/unit/coordinator/temporary_folder.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include <boost/asio/io_context.hpp>

using namespace sdfleet;
using namespace sdfleet::coordinator;
using namespace std::chrono_literals;

namespace {

/// A coordinator on a thread of its own, until the end of the scope.
class Running {
public:
    explicit Running(const std::filesystem::path& data_dir, const std::string& listen = "tcp://127.0.0.1:*")
    {
        Settings settings;
        settings.data_dir = data_dir;
        settings.listen = listen;
        settings.endpoint_file = data_dir.string() + ".endpoint";
        auto opened = Coordinator::open(settings);
        REQUIRE(opened);
        coordinator_ = std::move(*opened);
        thread_ = std::thread([this] { coordinator_->run(); });
    }
    ~Running()
    {
        coordinator_->stop();
        thread_.join();
    }
    const std::string& endpoint() const { return coordinator_->endpoint(); }

private:
    std::unique_ptr<Coordinator> coordinator_;
    std::thread thread_;
};

/// One connection: sends as soon as it is up, keeps what comes.
class Connection {
public:
    explicit Connection(const std::string& endpoint) : socket_(context_, io_)
    {
        REQUIRE(socket_.connect(endpoint));
        socket_.start({[this] { is_up_ = true; },
                       [this](proto::Packet packet) { received_.push_back(std::move(packet)); },
                       [](proto::DecodeError) {}});
        REQUIRE(run_until([this] { return is_up_; }));
    }

    void send(proto::Message message, std::vector<proto::Blob> blobs = {})
    {
        REQUIRE(socket_.send({{1, {}, 0, 1}, std::move(message), std::move(blobs)}));
    }

    /// The next message of this type; others are dropped.
    template <class Body>
    Body expect(std::vector<proto::Blob>* blobs = nullptr)
    {
        std::optional<Body> found;
        REQUIRE(run_until([&] {
            while (!found && !received_.empty()) {
                if (auto* body = std::get_if<Body>(&received_.front().message)) {
                    found = std::move(*body);
                    if (blobs != nullptr) {
                        *blobs = received_.front().blobs;
                    }
                }
                received_.pop_front();
            }
            return found.has_value();
        }));
        return *found;
    }

private:
    template <class Condition>
    bool run_until(Condition condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            io_.restart();
            io_.run_one_for(100ms);
        }
        return condition();
    }

    net::Context context_;
    boost::asio::io_context io_;
    net::DealerSocket socket_;
    bool is_up_ = false;
    std::deque<proto::Packet> received_;
};

proto::AgentHello hello_of(proto::Channel channel)
{
    proto::AgentHello hello;
    hello.channel = channel;
    hello.node_id = {"a"};
    hello.incarnation = {1};
    hello.actors = {{{0}, "cpu", proto::ActorPhase::ready, 1, 0, ""}};
    return hello;
}

proto::Submit echo_submit(const std::string& id)
{
    return {{id}, {"", proto::Split::pull, {proto::EchoParameters{}}, {{"hello", 0, std::nullopt}}}};
}

} // namespace

TEST_CASE("a job goes from the client to the agent, its result to the disk, and from there to the client")
{
    const TemporaryFolder folder;
    const Running coordinator(folder.path / "data");
    Connection control(coordinator.endpoint());
    Connection bulk(coordinator.endpoint());
    Connection client(coordinator.endpoint());
    control.send(hello_of(proto::Channel::control));
    REQUIRE(control.expect<proto::Welcome>().epoch == 1);
    bulk.send(hello_of(proto::Channel::bulk));
    bulk.expect<proto::Welcome>();
    client.send(proto::ClientHello{});
    client.expect<proto::Welcome>();

    client.send(echo_submit("j"));
    REQUIRE(client.expect<proto::Submitted>().job.total == 1);
    const auto assign = control.expect<proto::Assign>();
    control.send(proto::Accepted{assign.attempt_id});
    control.send(proto::Started{assign.attempt_id});
    const auto sha256 = base::sha256_hex(assign.item.prompt);
    bulk.send(proto::ItemDone{assign.attempt_id, assign.job_id, assign.index, "text/plain", sha256, 1},
              {proto::Blob::of(assign.item.prompt)});
    REQUIRE(bulk.expect<proto::ResultAck>().verdict == proto::Verdict::accepted);
    client.send(proto::WatchJob{{"j"}, 0, 10, 1'000});
    const auto changes = client.expect<proto::JobChanges>();
    client.send(proto::FetchArtifact{sha256});
    std::vector<proto::Blob> blobs;
    client.expect<proto::Artifact>(&blobs);

    REQUIRE(changes.job.state == proto::JobState::done);
    REQUIRE(changes.items.at(0).sha256 == sha256);
    REQUIRE(base::sha256_hex(blobs.at(0).bytes) == sha256);
}

TEST_CASE("a coordinator started again has its jobs, and nothing but the data folder is left of the first")
{
    const TemporaryFolder folder;
    const auto socket = (folder.path / "socket").string();
    {
        const Running coordinator(folder.path / "data", "ipc://" + socket);
        REQUIRE(std::filesystem::exists(folder.path / "data.endpoint"));
        REQUIRE(base::read_file(folder.path / "data.endpoint", 1000) == "ipc://" + socket + "\n");
        Connection control(coordinator.endpoint());
        control.send(hello_of(proto::Channel::control));
        control.expect<proto::Welcome>();
        Connection client(coordinator.endpoint());
        client.send(proto::ClientHello{});
        client.send(echo_submit("j"));
        client.expect<proto::Submitted>();
    }
    REQUIRE_FALSE(std::filesystem::exists(folder.path / "data.endpoint"));
    REQUIRE_FALSE(std::filesystem::exists(socket));

    const Running again(folder.path / "data");
    Connection client(again.endpoint());
    client.send(proto::ClientHello{});
    REQUIRE(client.expect<proto::Welcome>().epoch == 2);
    client.send(echo_submit("j"));

    REQUIRE(client.expect<proto::Submitted>().already_known);
}

TEST_CASE("a result whose bytes were damaged on the way is refused")
{
    const TemporaryFolder folder;
    const Running coordinator(folder.path / "data");
    Connection control(coordinator.endpoint());
    control.send(hello_of(proto::Channel::control));
    Connection client(coordinator.endpoint());
    control.expect<proto::Welcome>();
    client.send(proto::ClientHello{});
    client.send(echo_submit("j"));
    const auto assign = control.expect<proto::Assign>();

    control.send(proto::ItemDone{assign.attempt_id, assign.job_id, assign.index, "", base::sha256_hex("hello"), 1},
                 {proto::Blob::of("hellO")});

    REQUIRE(control.expect<proto::ResultAck>().verdict == proto::Verdict::corrupt);
    REQUIRE(control.expect<proto::Assign>().attempt_id != assign.attempt_id);
}

TEST_CASE("a coordinator that cannot start says why in one line")
{
    const TemporaryFolder folder;
    const Running coordinator(folder.path / "data");
    Settings settings;
    settings.data_dir = folder.path / "data";
    REQUIRE(Coordinator::open(settings).error().message.find("in use by another coordinator") != std::string::npos);
    settings.data_dir = folder.path / "other";
    settings.listen = coordinator.endpoint();
    REQUIRE(Coordinator::open(settings).error().message.find("in use") != std::string::npos);
    settings.listen = "tcp://0.0.0.0:7420";
    REQUIRE(Coordinator::open(settings).error().code == base::ExitCode::usage);
}
