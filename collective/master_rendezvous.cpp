// SPDX-License-Identifier: Apache-2.0
#include "collective/master_rendezvous.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace sdfleet::collective {

namespace {

/// No peer's name: ZeroMQ's have 5 bytes and begin with 0.
const Caller self{"this process"};

RendezvousLimits one_group()
{
    RendezvousLimits limits;
    limits.groups = 1;
    return limits;
}

net::SocketLimits limits()
{
    net::SocketLimits limits;
    limits.linger_ms = 500; // for the last answers
    return limits;
}

} // namespace

MasterRendezvous::MasterRendezvous(const std::optional<net::CurveServer>& keys, const std::string& client_key)
    : socket_(context_, io_, limits(), keys), rendezvous_(one_group())
{
    if (keys) {
        authenticator_.emplace(context_, std::set<std::string>{client_key});
    }
}

tl::expected<std::unique_ptr<MasterRendezvous>, std::string>
MasterRendezvous::listen(const std::string& endpoint, const std::optional<net::CurveServer>& keys,
                         const std::string& client_key)
{
    std::unique_ptr<MasterRendezvous> master(new MasterRendezvous(keys, client_key));
    if (master->authenticator_) {
        if (auto tested = master->authenticator_->self_test(); !tested) {
            return tl::unexpected(tested.error());
        }
    }
    if (auto bound = master->socket_.bind(endpoint); !bound) {
        return tl::unexpected(bound.error());
    }
    return master;
}

MasterRendezvous::~MasterRendezvous()
{
    box_.on_abort(nullptr);
    if (!thread_.joinable()) {
        return;
    }
    boost::asio::post(io_, [this] {
        is_ending_ = true;
        constexpr std::chrono::milliseconds patience{300};
        timer_.expires_after(patience);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (!error) {
                io_.stop();
            }
        });
        end_when_heard();
    });
    thread_.join();
}

Result<proto::GroupFormed> MasterRendezvous::join(const proto::GroupJoin& join, Deadline deadline)
{
    group_ = join.group;
    auto own = join;
    own.timeout_ms = patience_ms(deadline);
    send(rendezvous_.join(self, own, now())); // before all others: what rank 0 says of the world holds
    socket_.start({[this](const net::PeerId& peer, const proto::Packet& packet) { take(peer, packet); },
                   [](const net::PeerId&, const proto::DecodeError&) {}});
    thread_ = std::thread([this] {
        const auto work = boost::asio::make_work_guard(io_);
        io_.run();
    });
    auto answer = box_.wait(deadline);
    if (!answer) { // its own timer is late: a machine that stands still
        return tl::unexpected(
            Error{TimedOut{{}, deadline.timeout}, "forming group " + join.group.value + ": no answer"});
    }
    if (const auto* refused = std::get_if<proto::GroupRefused>(&*answer)) {
        return tl::unexpected(error_of(*refused, deadline.timeout));
    }
    if (const auto* abort = std::get_if<proto::GroupAbort>(&*answer)) {
        return tl::unexpected(error_of(*abort));
    }
    return read_answer(join, std::move(std::get<proto::GroupFormed>(*answer)));
}

/// A dealer may lose what it has received when the connection ends at once; so it is waited until they say that they heard.
void MasterRendezvous::end_when_heard()
{
    if (is_ending_ && answered_.empty()) {
        io_.stop();
    }
}

void MasterRendezvous::abort(const proto::GroupAbort& abort)
{
    boost::asio::post(io_, [this, abort] { send(rendezvous_.abort(self, abort, now())); });
}

void MasterRendezvous::take(const net::PeerId& peer, const proto::Packet& packet)
{
    const Caller caller{peer.bytes};
    if (const auto* join = std::get_if<proto::GroupJoin>(&packet.message)) {
        if (join->group == group_) {
            send(rendezvous_.join(caller, *join, now()));
        } else {
            send(
                {{caller, proto::GroupRefused{join->group,
                                              join->epoch,
                                              proto::GroupRefusal::unknown_group,
                                              {},
                                              "group " + join->group.value + ": rank 0 forms group " + group_.value}}});
        }
    } else if (const auto* abort = std::get_if<proto::GroupAbort>(&packet.message)) {
        send(rendezvous_.abort(caller, *abort, now()));
    } else if (const auto* leave = std::get_if<proto::GroupLeave>(&packet.message)) {
        rendezvous_.leave(caller, *leave, now());
        answered_.erase(caller);
        end_when_heard();
    }
}

void MasterRendezvous::send(const Rendezvous::Sends& sends)
{
    for (const auto& each : sends) {
        if (each.to == self) {
            box_.put(each.answer);
            continue;
        }
        constexpr std::size_t max_answered = 10'000;
        if (!std::holds_alternative<proto::GroupFormed>(each.answer) && answered_.size() < max_answered) {
            answered_.insert(each.to);
        }
        auto message = std::visit([](const auto& answer) { return proto::Message(answer); }, each.answer);
        [[maybe_unused]] const auto sent = socket_.send({each.to.bytes}, {{}, std::move(message), {}});
    }
    arm();
}

void MasterRendezvous::arm()
{
    if (is_ending_) {
        return;
    }
    const auto deadline = rendezvous_.next_deadline();
    if (!deadline) {
        timer_.cancel();
        return;
    }
    timer_.expires_after(*deadline - now());
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            send(rendezvous_.tick(now()));
        }
    });
}

Rendezvous::Time MasterRendezvous::now()
{
    return std::chrono::duration_cast<Rendezvous::Time>(Deadline::Clock::now().time_since_epoch());
}

} // namespace sdfleet::collective
