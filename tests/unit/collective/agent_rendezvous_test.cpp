// SPDX-License-Identifier: Apache-2.0
#include "collective/core/rendezvous.hpp"
#include "net/socket.hpp"

#include "tests/catch.hpp"
#include "tests/unit/collective/ranks.hpp"

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

using namespace sdfleet::collective;
using namespace sdfleet::collective::test;
namespace asio = boost::asio;
namespace net = sdfleet::net;
namespace proto = sdfleet::proto;

namespace {

/// An agent, as far as groups are concerned: passes what ranks say to a rendezvous, and knows when a rank has died.
class Agent {
public:
    Agent()
    {
        socket_.start({[this](net::PeerId peer, const proto::Packet& packet) { take(peer, packet.message); },
                       [](net::PeerId, proto::DecodeError) {}});
        thread_ = std::thread([this] {
            const auto work = asio::make_work_guard(io_);
            io_.run();
        });
    }

    ~Agent()
    {
        io_.stop();
        thread_.join();
        std::filesystem::remove(path_);
    }

    const std::string& endpoint() const { return endpoint_; }

    void say_lost(std::uint32_t rank)
    {
        asio::post(io_, [this, rank] { send(rendezvous_.lost(callers_.at(rank), "killed by signal 9", {})); });
    }

    /// The ranks that said goodbye, once there are so many.
    std::vector<std::uint32_t> wait_for_leaves(std::size_t count)
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return left_.size() >= count; });
        return left_;
    }

    std::optional<proto::GroupAbort> wait_for_abort()
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return abort_.has_value(); });
        return abort_;
    }

private:
    void take(const net::PeerId& peer, const proto::Message& message)
    {
        const Caller caller{peer.bytes};
        if (const auto* join = std::get_if<proto::GroupJoin>(&message)) {
            callers_[join->member.rank.value] = caller;
            send(rendezvous_.join(caller, *join, {}));
        } else if (const auto* leave = std::get_if<proto::GroupLeave>(&message)) {
            rendezvous_.leave(caller, *leave, {});
            const std::lock_guard lock(mutex_);
            left_.push_back(leave->rank.value);
            changed_.notify_all();
        } else if (const auto* abort = std::get_if<proto::GroupAbort>(&message)) {
            const std::lock_guard lock(mutex_);
            abort_ = *abort;
            changed_.notify_all();
        }
    }

    void send(const Rendezvous::Sends& sends)
    {
        for (const auto& each : sends) {
            auto message = std::visit([](const auto& answer) { return proto::Message(answer); }, each.answer);
            REQUIRE(socket_.send({each.to.bytes}, {{}, std::move(message), {}}));
        }
    }

    std::string path_ = (std::filesystem::temp_directory_path() / ("agent-" + std::to_string(::getpid()))).string();
    net::Context context_;
    asio::io_context io_;
    net::RouterSocket socket_{context_, io_};
    std::string endpoint_ = *socket_.bind("ipc://" + path_);
    Rendezvous rendezvous_;
    std::map<std::uint32_t, Caller> callers_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::uint32_t> left_;
    std::optional<proto::GroupAbort> abort_;
    std::thread thread_;
};

std::unique_ptr<ProcessGroup> join(const Agent& agent, std::uint32_t rank, std::uint32_t world_size)
{
    auto group = init_process_group(Backend::zmq, rank, world_size, ViaAgent{agent.endpoint(), "program-1"},
                                    options_with(patience));
    return group ? std::make_unique<ProcessGroup>(std::move(*group)) : nullptr;
}

} // namespace

TEST_CASE("ranks meet at their agent, and say goodbye to it")
{
    Agent agent;
    on_ranks<int>(3, [&](std::uint32_t rank) {
        const auto group = join(agent, rank, 3);
        return group && group->barrier() ? 0 : throw std::runtime_error("no group");
    });
    auto left = agent.wait_for_leaves(3);
    std::ranges::sort(left);
    REQUIRE(left == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("when the agent says that a rank is lost, the others' operations end with its name")
{
    Agent agent;
    auto groups = on_ranks<std::unique_ptr<ProcessGroup>>(3, [&](std::uint32_t rank) { return join(agent, rank, 3); });
    REQUIRE((groups[0] && groups[1] && groups[2]));
    std::thread lost([&] { agent.say_lost(2); }); // its connections are still there: only the agent knows
    const auto outcomes = on_ranks<Result<void>>(2, [&](std::uint32_t rank) { return groups[rank]->barrier(); });
    lost.join();
    for (const auto& outcome : outcomes) {
        REQUIRE_FALSE(outcome);
        REQUIRE(std::get<PeerLost>(outcome.error().cause).ranks == std::vector<Rank>{{2}});
        REQUIRE_THAT(outcome.error().message, ContainsSubstring("killed by signal 9"));
    }
}

TEST_CASE("what a rank finds out is told to the agent")
{
    Agent agent;
    auto groups = on_ranks<std::unique_ptr<ProcessGroup>>(2, [&](std::uint32_t rank) { return join(agent, rank, 2); });
    REQUIRE((groups[0] && groups[1]));
    REQUIRE_FALSE(groups[0]->barrier(std::chrono::milliseconds(50)));
    const auto abort = agent.wait_for_abort();
    REQUIRE(abort);
    REQUIRE(abort->group.value == "program-1/default");
    REQUIRE_THAT(abort->message, ContainsSubstring("rank 1 did not come"));
}
