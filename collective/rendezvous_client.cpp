// SPDX-License-Identifier: Apache-2.0
#include "collective/rendezvous_client.hpp"

#include "collective/core/notice.hpp"

#include <type_traits>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace sdfleet::collective {

namespace {

proto::Packet packet_of(proto::Message message)
{
    return {{}, std::move(message), {}};
}

net::SocketLimits limits()
{
    net::SocketLimits limits;
    limits.linger_ms = 500; // for the GroupLeave
    return limits;
}

} // namespace

RendezvousClient::RendezvousClient(std::string endpoint, std::optional<Rank> rank,
                                   const std::optional<net::CurveClient>& keys)
    : endpoint_(std::move(endpoint)), who_(rank ? list_ranks({*rank}) : "the agent"),
      missing_(rank ? std::vector{*rank} : std::vector<Rank>{}), has_keys_(keys.has_value()),
      socket_(context_, io_, limits(), keys)
{
}

RendezvousClient::~RendezvousClient()
{
    box_.on_abort(nullptr);
    if (!thread_.joinable()) {
        return;
    }
    boost::asio::post(io_, [this] {
        if (join_ && is_reached_) {
            [[maybe_unused]] const auto sent =
                socket_.send(packet_of(proto::GroupLeave{join_->group, join_->epoch, join_->member.rank}));
        }
        io_.stop();
    });
    thread_.join();
}

Result<proto::GroupFormed> RendezvousClient::join(const proto::GroupJoin& join, Deadline deadline)
{
    const auto what = "forming group " + join.group.value + ", epoch " + std::to_string(join.epoch.value) + ", rank " +
                      std::to_string(join.member.rank.value) + ": ";
    if (auto connected = socket_.connect(endpoint_); !connected) {
        return tl::unexpected(Error{NotFormed{}, what + connected.error()});
    }
    join_ = join;
    deadline_ = deadline;
    socket_.start({[this] { send_join(); }, [this](proto::Packet packet) { take(std::move(packet)); },
                   [](const proto::DecodeError&) {}});
    redial_later();
    thread_ = std::thread([this] {
        const auto work = boost::asio::make_work_guard(io_);
        io_.run();
    });
    auto answer = box_.wait(deadline);
    if (!answer) {
        const auto within = " within " + std::to_string(deadline.timeout.count()) + " ms";
        if (is_reached_) {
            return tl::unexpected(Error{TimedOut{missing_, deadline.timeout},
                                        what + who_ + " at " + endpoint_ + " did not answer" + within});
        }
        const auto advice = has_keys_ ? "; is it running, and has it the same secret?" : "; is it running?";
        return tl::unexpected(Error{TimedOut{{{0}}, deadline.timeout},
                                    what + "could not reach " + who_ + " at " + endpoint_ + within + advice});
    }
    if (const auto* refused = std::get_if<proto::GroupRefused>(&*answer)) {
        return tl::unexpected(error_of(*refused, deadline.timeout));
    }
    if (const auto* abort = std::get_if<proto::GroupAbort>(&*answer)) {
        return tl::unexpected(error_of(*abort));
    }
    return read_answer(join, std::move(std::get<proto::GroupFormed>(*answer)));
}

void RendezvousClient::abort(const proto::GroupAbort& abort)
{
    boost::asio::post(io_, [this, abort] { [[maybe_unused]] const auto sent = socket_.send(packet_of(abort)); });
}

void RendezvousClient::send_join()
{
    is_reached_ = true;
    join_->timeout_ms = patience_ms(deadline_);
    [[maybe_unused]] const auto sent = socket_.send(packet_of(*join_));
}

void RendezvousClient::take(proto::Packet packet)
{
    std::visit(
        [&](auto& message) {
            using Message = std::decay_t<decltype(message)>;
            if constexpr (std::is_constructible_v<Rendezvous::Answer, Message>) {
                if (message.group == join_->group && message.epoch == join_->epoch) {
                    is_answered_ = true;
                    box_.put(std::move(message));
                }
            }
        },
        packet.message);
}

/// ZeroMQ dials again by itself, but not when a handshake was refused or went to another program's port.
void RendezvousClient::redial_later()
{
    constexpr std::chrono::milliseconds pause{1'000};
    redial_timer_.expires_after(pause);
    redial_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error || is_answered_) {
            return;
        }
        if (!is_reached_) {
            [[maybe_unused]] const auto dialled = socket_.redial(endpoint_);
        }
        redial_later();
    });
}

} // namespace sdfleet::collective
