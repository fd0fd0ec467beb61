// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/answer_box.hpp"
#include "collective/rendezvous_link.hpp"
#include "net/socket.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sdfleet::collective {

/// Rank 0's rendezvous for its own group: listens until this object goes. Rank 0 joins without a socket.
class MasterRendezvous : public RendezvousLink {
public:
    /// The error is one line for people: the address is not this machine's, the port is taken.
    static tl::expected<std::unique_ptr<MasterRendezvous>, std::string>
    listen(const std::string& endpoint, const std::optional<net::CurveServer>& keys, const std::string& client_key);

    /// Goes when the answers have left.
    ~MasterRendezvous() override;

    Result<proto::GroupFormed> join(const proto::GroupJoin& join, Deadline deadline) override;
    void on_abort(std::function<void(const proto::GroupAbort&)> tell) override { box_.on_abort(std::move(tell)); }
    void abort(const proto::GroupAbort& abort) override;

private:
    explicit MasterRendezvous(const std::optional<net::CurveServer>& keys, const std::string& client_key);

    void take(const net::PeerId& peer, const proto::Packet& packet);
    void send(const Rendezvous::Sends& sends);
    void arm();
    void end_when_heard();
    static Rendezvous::Time now();

    AnswerBox box_;
    net::Context context_;
    std::optional<net::Authenticator> authenticator_;
    boost::asio::io_context io_;
    net::RouterSocket socket_;
    boost::asio::steady_timer timer_{io_};
    // Of the thread, once it runs.
    Rendezvous rendezvous_;
    proto::GroupId group_;
    std::set<Caller> answered_; ///< with a no; they say goodbye when they have heard it
    bool is_ending_ = false;
    std::thread thread_;
};

} // namespace sdfleet::collective
