// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"
#include "collective/core/frame_header.hpp"
#include "collective/core/inbox.hpp"
#include "collective/core/missing_ranks.hpp"
#include "collective/deadline.hpp"
#include "collective/error.hpp"
#include "collective/transfer.hpp"
#include "net/mesh_socket.hpp"
#include "proto/group_messages.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sdfleet::collective {

/// A member's place in its group.
struct Membership {
    std::string group; ///< as people call it
    Epoch epoch;
    Rank rank;
    std::uint32_t world_size = 1;
};

/// One rank's connections to all others of its group: brings payloads to and fro within the window of each, and knows when
/// the epoch is over. Everything happens in the caller's thread, inside the calls; interrupt() alone may come from any
/// thread. The first failure ends the epoch: it is told to all others once and returned once; then everything is Aborted.
class Mesh {
public:
    explicit Mesh(Membership self);
    /// Says goodbye.
    ~Mesh();
    Mesh(const Mesh&) = delete;
    Mesh& operator=(const Mesh&) = delete;

    struct ListenAt {
        std::string host;                        ///< as in GroupMember
        std::optional<std::string> private_path; ///< for members with the same host
        std::optional<std::string> address;      ///< for the others
    };
    /// What the others need to know to reach this rank. Nothing (NotFormed) when it cannot listen.
    Result<proto::GroupMember> listen(const ListenAt& at);

    /// Connects to all others and returns when all of them are connected to this rank.
    Result<void> connect(const std::vector<proto::GroupMember>& members, Deadline deadline);

    enum class Until {
        on_its_way,  ///< what goes out is on its way; its memory must stay as it is
        memory_free, ///< the memory of all that went out so far is needed no longer
    };
    /// Returns when everything that comes in is there, and what goes out is so far. Of each rank one payload at most. An
    /// error leaves no memory in use.
    Result<void> run(const Operation& operation, std::span<Outgoing> outgoing, std::span<Incoming> incoming,
                     Until until, Deadline deadline);

    /// Ends the epoch as found by this rank.
    tl::unexpected<Error> fail(const Operation& operation, Cause cause, const std::string& detail);

    /// The same, but leaves it to the next call of run() or fail() to report it. Of a failure that is known already nothing
    /// changes.
    void set_failure(const Operation& operation, Cause cause, const std::string& detail);

    /// Takes what came meanwhile, without waiting: for those who wait for something else than the mesh. Why the epoch is
    /// over, once it is.
    std::optional<Error> look();

    /// An Error that ends nothing: what the caller asks for cannot work.
    Error invalid(OperationKind kind, const std::string& detail) const;

    /// Thread-safe: ends what is under way, and what comes later, with this error; see tell_others().
    void interrupt(Error error);

    /// Thread-safe: interrupts with Aborted and the reason.
    void abort(const std::string& reason);

    /// Passes an interruption on when no operation is there to do it.
    void tell_others();

    /// Called once, in the failing thread, with what this rank found.
    void on_failure(std::function<void(const Error&)> tell) { tell_failure_ = std::move(tell); }

    const Membership& self() const { return self_; }

private:
    struct Peer {
        std::string public_key;
        net::PeerId name;       ///< of its connection
        int connection = -1;    ///< -1: not connected yet
        bool is_remote = false; ///< over TCP
        bool has_left = false;
        Inbox inbox;
        std::size_t on_its_way_bytes = 0; ///< to the peer: costs that it has not given back
        std::size_t taken_bytes = 0;      ///< from the peer: costs to give back
    };
    struct Current {
        const Operation* operation = nullptr;
        std::span<Outgoing> outgoing;
        std::span<Incoming> incoming;
        Until until = Until::on_its_way;
    };

    Deadline::Clock::time_point redial();
    Result<void> dial(const proto::GroupMember& member);
    void say_hello(const net::PeerId& name);
    void take_hello(const net::MeshSocket::Message& message, const FrameHeader& header);

    void take_events();
    void take_message(const net::MeshSocket::Message& message);
    void take_piece(Rank from, Piece piece);
    void judge_ended(const std::vector<net::MeshSocket::Ended>& ended);
    void take_interruption();

    void check_early_pieces();
    bool check_piece(Rank from, const FrameHeader& header);
    void find_mismatch(Rank from, const Operation& theirs);
    bool deliver(Incoming& incoming);
    bool send_more(Outgoing& outgoing);
    bool advance();
    bool is_done() const;
    bool is_lent() const;
    bool inquire();
    std::vector<Rank> waited_for() const;

    void wait(Deadline::Clock::time_point until);
    void send_control(Rank to, FrameKind kind, std::uint64_t number, std::span<const std::byte> body = {});
    void send_to_all(FrameKind kind, std::span<const std::byte> body);
    bool note_departures();
    std::optional<Rank> forget_connection(const net::MeshSocket::Ended& ended);
    void say_goodbye(std::chrono::milliseconds patience);
    void give_credit(Rank to, std::size_t cost);
    void announce(const Error& error);
    tl::unexpected<Error> report();
    std::string describe(OperationKind kind) const;

    Membership self_;
    std::string host_;
    net::CurveKeyPair keys_;
    std::unique_ptr<net::MeshSocket> socket_; ///< none in a world of one, and after close()
    std::vector<Peer> peers_;                 ///< by rank
    std::map<std::string, Rank> rank_of_name_;
    std::map<int, Rank> rank_of_connection_;
    std::map<std::string, Rank> dialled_;                 ///< by endpoint
    std::map<Rank, Deadline::Clock::time_point> redials_; ///< of those who did not let this rank in
    std::vector<proto::GroupMember> members_;
    Current current_;
    std::optional<MissingRanks> inquiry_;
    std::optional<Error> failure_;
    bool is_failure_reported_ = false;
    std::function<void(const Error&)> tell_failure_;

    std::mutex interruption_mutex_;
    std::optional<Error> interruption_;
    base::UniqueFd wake_up_;
};

} // namespace sdfleet::collective
