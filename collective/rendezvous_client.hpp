// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/answer_box.hpp"
#include "collective/rendezvous_link.hpp"
#include "net/socket.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace sdfleet::collective {

/// Dials a rendezvous: rank 0's, or the agent of this node. Dials until it is there, and again when the connection ends.
class RendezvousClient : public RendezvousLink {
public:
    /// A rank is at the endpoint, or else the agent.
    RendezvousClient(std::string endpoint, std::optional<Rank> rank, const std::optional<net::CurveClient>& keys);
    /// Says that this rank leaves the group, if it joined one.
    ~RendezvousClient() override;

    Result<proto::GroupFormed> join(const proto::GroupJoin& join, Deadline deadline) override;
    void on_abort(std::function<void(const proto::GroupAbort&)> tell) override { box_.on_abort(std::move(tell)); }
    void abort(const proto::GroupAbort& abort) override;

private:
    void send_join();
    void take(proto::Packet packet);
    void redial_later();

    std::string endpoint_;
    std::string who_;           ///< is there, for people
    std::vector<Rank> missing_; ///< when nobody answers
    bool has_keys_;
    AnswerBox box_;
    net::Context context_;
    boost::asio::io_context io_;
    net::DealerSocket socket_;
    boost::asio::steady_timer redial_timer_{io_};
    // Of the thread, once it runs.
    std::optional<proto::GroupJoin> join_;
    Deadline deadline_{};
    std::atomic<bool> is_reached_ = false;
    bool is_answered_ = false;
    std::thread thread_;
};

} // namespace sdfleet::collective
