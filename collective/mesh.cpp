// SPDX-License-Identifier: Apache-2.0
// How the ranks of a group connect, and how they learn that the epoch is over. What they exchange: mesh_transfers.cpp.
#include "collective/mesh.hpp"

#include "collective/core/byte_order.hpp"
#include "collective/core/notice.hpp"

#include <algorithm>
#include <utility>

#include <sys/eventfd.h>

namespace sdfleet::collective {

namespace {

constexpr std::size_t max_body_bytes = 16'384; ///< of everything but data

net::MeshLimits limits()
{
    net::MeshLimits limits;
    limits.receive_high_water_mark = 2 * static_cast<int>(window_bytes / piece_overhead_bytes);
    constexpr std::size_t encryption_bytes = 1'024; // more than CURVE adds to a frame
    limits.max_frame_bytes = max_piece_bytes + encryption_bytes;
    return limits;
}

std::vector<Rank> read_ranks(std::span<const std::byte> body)
{
    ByteReader reader(body);
    std::vector<Rank> ranks;
    for (auto rank = reader.take<std::uint32_t>(); reader.is_good(); rank = reader.take<std::uint32_t>()) {
        ranks.push_back({rank});
    }
    return ranks;
}

std::span<const std::byte> bytes_of(const std::string& text)
{
    return std::as_bytes(std::span(text));
}

std::string first_with(const std::vector<std::string>& endpoints, std::string_view scheme)
{
    const auto found = std::ranges::find_if(endpoints, [&](const auto& each) { return each.starts_with(scheme); });
    return found == endpoints.end() ? "" : *found;
}

} // namespace

Mesh::Mesh(Membership self)
    : self_(std::move(self)), peers_(self_.world_size), wake_up_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))
{
}

Mesh::~Mesh()
{
    if (!socket_) {
        return;
    }
    constexpr std::chrono::milliseconds to_leave{1'000};
    constexpr std::chrono::milliseconds to_tell_of_a_failure{200};
    say_goodbye(failure_ ? to_tell_of_a_failure : to_leave);
}

/// Takes what is there of others' ends and goodbyes; true when there was something.
bool Mesh::note_departures()
{
    const auto ended = socket_->take_ended();
    bool is_news = !ended.empty();
    while (const auto message = socket_->receive()) {
        is_news = true;
        const auto header = decode_header(message->header.bytes, message->payload.bytes.size());
        const auto from = rank_of_name_.find(message->peer.bytes);
        if (header && header->kind == FrameKind::leave && from != rank_of_name_.end()) {
            peers_[from->second.value].has_left = true;
        }
    }
    std::ranges::for_each(ended, [this](const auto& each) { forget_connection(each); });
    return is_news;
}

/// Whose it was.
std::optional<Rank> Mesh::forget_connection(const net::MeshSocket::Ended& ended)
{
    const auto found = rank_of_connection_.find(ended.connection);
    if (found == rank_of_connection_.end()) {
        return std::nullopt;
    }
    const auto rank = found->second;
    rank_of_connection_.erase(found);
    peers_[rank.value].connection = -1;
    if (rank < self_.rank) {
        socket_->drop(ended.endpoint); // else what waits to go there would hold up the end
    }
    return rank;
}

/// Ends all connections, once everything has left, but at the latest after `patience`.
void Mesh::say_goodbye(std::chrono::milliseconds patience)
{
    static const std::vector<std::byte> last_word(net::direct_bytes);
    note_departures();
    if (failure_) { // who hears our goodbye before the notice of whoever found the failure must know why
        send_to_all(FrameKind::abort, encode_notice(*failure_));
    }
    const FrameHeader leave{FrameKind::leave, self_.epoch.value, {}, last_word.size(), 0};
    bool is_any_remote = false;
    for (const auto& peer : peers_) {
        if (peer.connection >= 0 && !peer.has_left) {
            is_any_remote |= peer.is_remote;
            [[maybe_unused]] const auto sent = socket_->send_lent(peer.name, encode(leave), last_word);
        }
    }
    const auto until = Deadline::Clock::now() + patience;
    while (socket_->lent() > 0 && Deadline::Clock::now() < until) {
        if (!note_departures() && socket_->lent() > 0) {
            socket_->wait(-1, until - Deadline::Clock::now());
        }
    }
    // What was encrypted may wait somewhere else still.
    socket_->close(is_any_remote ? patience : std::chrono::milliseconds(0));
    socket_.reset();
}

Result<proto::GroupMember> Mesh::listen(const ListenAt& at)
{
    host_ = at.host;
    keys_ = net::make_curve_key_pair();
    proto::GroupMember member{self_.rank, at.host, {}, keys_.public_key};
    socket_ = std::make_unique<net::MeshSocket>(limits());
    const auto add = [&](const net::EndpointResult& endpoint) -> Result<void> {
        if (!endpoint) {
            return tl::unexpected(Error{NotFormed{}, describe(OperationKind::none) + ": " + endpoint.error()});
        }
        member.endpoints.push_back(*endpoint);
        return {};
    };
    if (at.private_path) {
        if (auto added = add(socket_->listen_private(*at.private_path)); !added) {
            return tl::unexpected(std::move(added.error()));
        }
    }
    if (at.address) {
        if (auto added = add(socket_->listen(*at.address, keys_)); !added) {
            return tl::unexpected(std::move(added.error()));
        }
    }
    return member;
}

Result<void> Mesh::connect(const std::vector<proto::GroupMember>& members, Deadline deadline)
{
    const Operation forming{};
    members_ = members;
    std::set<std::string> keys;
    for (const auto& member : members_) {
        keys.insert(member.public_key);
        peers_.at(member.rank.value).public_key = member.public_key;
    }
    socket_->allow(std::move(keys));
    for (Rank lower; lower < self_.rank; ++lower.value) {
        if (auto dialled = dial(members_[lower.value]); !dialled) {
            return dialled;
        }
    }
    const auto is_connected = [&](const Peer& peer) {
        return peer.connection >= 0 || peer.has_left || &peer == &peers_[self_.rank.value];
    };
    while (true) {
        take_events();
        if (failure_) {
            return report();
        }
        if (std::ranges::all_of(peers_, is_connected)) {
            return {};
        }
        if (Deadline::Clock::now() >= deadline.at) {
            std::vector<Rank> missing;
            for (Rank rank; rank.value < self_.world_size; ++rank.value) {
                if (!is_connected(peers_[rank.value])) {
                    missing.push_back(rank);
                }
            }
            return fail(forming, TimedOut{missing, deadline.timeout},
                        list_ranks(missing) + " joined, but no connection came about within " +
                            std::to_string(deadline.timeout.count()) + " ms; is a firewall between the machines?");
        }
        const auto next = redial();
        wait(std::min(next, deadline.at));
    }
}

/// Dials those again who did not let this rank in: they may not have known yet who belongs to the group. Returns when the
/// next is due.
Deadline::Clock::time_point Mesh::redial()
{
    auto next = Deadline::Clock::time_point::max();
    const auto now = Deadline::Clock::now();
    for (auto each = redials_.begin(); each != redials_.end();) {
        const auto [rank, at] = *each;
        if (at > now) {
            next = std::min(next, at);
            ++each;
            continue;
        }
        each = redials_.erase(each);
        auto& peer = peers_[rank.value];
        if (peer.connection < 0) {
            rank_of_name_.erase(peer.name.bytes);
            [[maybe_unused]] const auto again = dial(members_[rank.value]);
            next = now; // what came meanwhile is looked at before each wait
        }
    }
    return next;
}

Result<void> Mesh::dial(const proto::GroupMember& member)
{
    const auto ipc = member.host == host_ ? first_with(member.endpoints, "ipc://") : "";
    const auto endpoint = ipc.empty() ? first_with(member.endpoints, "tcp://") : ipc;
    if (endpoint.empty()) {
        return fail({}, NotFormed{},
                    list_ranks({member.rank}) +
                        " listens on its own machine alone; name an address of it that this machine reaches");
    }
    std::optional<net::CurveClient> curve;
    if (ipc.empty()) {
        curve = net::CurveClient{member.public_key, keys_};
    }
    auto name = socket_->dial(endpoint, curve);
    if (!name) {
        return fail({}, NotFormed{}, name.error());
    }
    dialled_[endpoint] = member.rank;
    rank_of_name_[name->bytes] = member.rank;
    peers_[member.rank.value].name = *name;
    say_hello(*name);
    return {};
}

void Mesh::say_hello(const net::PeerId& name)
{
    FrameHeader header{FrameKind::hello, self_.epoch.value, {}, keys_.public_key.size(), 0};
    header.operation.root = self_.rank.value;
    header.operation.whole_bytes = self_.world_size;
    [[maybe_unused]] const auto sent = socket_->send(name, encode(header), bytes_of(keys_.public_key));
}

/// The first word over a connection. Its sender is the rank that it says if it knows what only that rank's machine can
/// know (ipc) or has proven (tcp) its key.
void Mesh::take_hello(const net::MeshSocket::Message& message, const FrameHeader& header)
{
    const auto rank = header.operation.root;
    if (rank >= self_.world_size || rank == self_.rank.value || header.operation.whole_bytes != self_.world_size) {
        return;
    }
    auto& peer = peers_[rank];
    const auto origin = net::MeshSocket::origin_of(message);
    const bool was_dialled = rank < self_.rank.value;
    const bool is_key_right = std::ranges::equal(message.payload.bytes, bytes_of(peer.public_key));
    if (!is_key_right || peer.connection >= 0 || peer.has_left || origin.connection < 0) {
        return;
    }
    if (was_dialled ? message.peer != peer.name : !origin.is_own_user && origin.public_key != peer.public_key) {
        return;
    }
    peer.name = message.peer;
    peer.connection = origin.connection;
    peer.is_remote = !origin.is_own_user;
    rank_of_name_[message.peer.bytes] = Rank{rank};
    rank_of_connection_[origin.connection] = Rank{rank};
    if (!was_dialled) {
        say_hello(peer.name);
    }
}

void Mesh::take_events()
{
    for (bool is_quiet = false; !is_quiet && !failure_;) {
        const auto ended = socket_->take_ended();
        while (!failure_) {
            const auto message = socket_->receive();
            if (!message) {
                break;
            }
            take_message(*message);
        }
        judge_ended(ended);
        is_quiet = ended.empty();
    }
    take_interruption();
}

void Mesh::take_message(const net::MeshSocket::Message& message)
{
    const auto header = decode_header(message.header.bytes, message.payload.bytes.size());
    const auto known = rank_of_name_.find(message.peer.bytes);
    if (!header || header->epoch != self_.epoch.value ||
        (header->kind != FrameKind::data && message.payload.bytes.size() > max_body_bytes)) {
        if (known != rank_of_name_.end()) {
            set_failure({}, PeerLost{{known->second}},
                        list_ranks({known->second}) + " does not keep to the protocol: " +
                            (header ? "a message of another epoch, or one too large" : header.error()));
        }
        return;
    }
    if (header->kind == FrameKind::hello) {
        return take_hello(message, *header);
    }
    if (known == rank_of_name_.end() || peers_[known->second.value].connection < 0) {
        return; // nobody we know
    }
    const auto from = known->second;
    auto& peer = peers_[from.value];
    switch (header->kind) {
    case FrameKind::data:
        return take_piece(from, {*header, message.payload});
    case FrameKind::credit:
        peer.on_its_way_bytes -= std::min<std::size_t>(peer.on_its_way_bytes, header->operation.whole_bytes);
        return;
    case FrameKind::leave:
        peer.has_left = true;
        return;
    case FrameKind::query: {
        const auto ranks = waited_for();
        std::vector<std::byte> body(ranks.size() * sizeof(std::uint32_t));
        ByteWriter writer(body);
        std::ranges::for_each(ranks, [&](Rank rank) { writer.put(rank.value); });
        return send_control(from, FrameKind::waiting, 0, body);
    }
    case FrameKind::waiting:
        if (inquiry_) {
            inquiry_->answer(from, read_ranks(message.payload.bytes));
        }
        return;
    case FrameKind::abort:
        if (auto notice = decode_notice(message.payload.bytes)) {
            failure_ = std::move(*notice);
        }
        return;
    case FrameKind::hello:
        return;
    }
}

/// Everything that those who are gone had sent has been taken by now: who has not said goodbye is lost.
void Mesh::judge_ended(const std::vector<net::MeshSocket::Ended>& ended)
{
    std::vector<Rank> lost;
    for (const auto& each : ended) {
        if (each.how == net::MeshSocket::Ended::How::refused) {
            const auto rank = dialled_.find(each.endpoint);
            if (rank != dialled_.end() && peers_[rank->second.value].connection < 0) {
                constexpr std::chrono::milliseconds pause{20};
                redials_.emplace(rank->second, Deadline::Clock::now() + pause);
            }
            continue;
        }
        if (const auto rank = forget_connection(each); rank && !peers_[rank->value].has_left) {
            lost.push_back(*rank);
        }
    }
    if (!lost.empty()) {
        std::ranges::sort(lost);
        const auto& operation = current_.operation != nullptr ? *current_.operation : Operation{};
        const auto* how = lost.size() == 1 ? " is lost: its process ended, or the connection to it"
                                           : " are lost: their processes ended, or the connections to them";
        set_failure(operation, PeerLost{lost}, list_ranks(lost) + how);
    }
}

void Mesh::interrupt(Error error)
{
    {
        const std::lock_guard lock(interruption_mutex_);
        if (!interruption_) {
            interruption_ = std::move(error);
        }
    }
    constexpr std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_up_.get(), &one, sizeof one);
}

void Mesh::abort(const std::string& reason)
{
    interrupt({Aborted{}, "group " + self_.group + ", epoch " + std::to_string(self_.epoch.value) + ": rank " +
                              std::to_string(self_.rank.value) + " aborted it: " + reason});
}

std::optional<Error> Mesh::look()
{
    if (socket_ && !failure_) {
        take_events();
    }
    take_interruption();
    return failure_;
}

void Mesh::take_interruption()
{
    const std::lock_guard lock(interruption_mutex_);
    if (interruption_ && !failure_) {
        failure_ = *interruption_;
        announce(*failure_);
    }
}

void Mesh::tell_others()
{
    take_interruption();
}

tl::unexpected<Error> Mesh::fail(const Operation& operation, Cause cause, const std::string& detail)
{
    set_failure(operation, std::move(cause), detail);
    return report();
}

void Mesh::set_failure(const Operation& operation, Cause cause, const std::string& detail)
{
    if (failure_) {
        return;
    }
    failure_ = Error{std::move(cause), describe(operation.kind) + ": " + detail};
    announce(*failure_);
}

void Mesh::announce(const Error& error)
{
    if (socket_) {
        send_to_all(FrameKind::abort, encode_notice(error));
    }
    if (tell_failure_) {
        tell_failure_(error);
    }
}

tl::unexpected<Error> Mesh::report()
{
    if (socket_ && socket_->lent() > 0) { // the caller may free its memory as soon as it has the error
        constexpr std::chrono::milliseconds to_tell_the_others{100};
        say_goodbye(to_tell_the_others);
    }
    if (std::exchange(is_failure_reported_, true)) {
        return tl::unexpected(Error{Aborted{}, "the epoch is over: " + failure_->message});
    }
    return tl::unexpected(*failure_);
}

Error Mesh::invalid(OperationKind kind, const std::string& detail) const
{
    return {InvalidArgument{}, describe(kind) + ": " + detail};
}

std::string Mesh::describe(OperationKind kind) const
{
    return std::string(to_string(kind)) + (kind == OperationKind::none ? " group " : " in group ") + self_.group +
           ", epoch " + std::to_string(self_.epoch.value) + ", rank " + std::to_string(self_.rank.value);
}

void Mesh::send_control(Rank to, FrameKind kind, std::uint64_t number, std::span<const std::byte> body)
{
    const auto& peer = peers_[to.value];
    if (peer.connection < 0 || peer.has_left) {
        return;
    }
    FrameHeader header{kind, self_.epoch.value, {}, body.size(), 0};
    header.operation.whole_bytes = number;
    [[maybe_unused]] const auto sent = socket_->send(peer.name, encode(header), body);
}

void Mesh::send_to_all(FrameKind kind, std::span<const std::byte> body)
{
    for (Rank rank; rank.value < self_.world_size; ++rank.value) {
        send_control(rank, kind, 0, body);
    }
}

void Mesh::wait(Deadline::Clock::time_point until)
{
    const auto now = Deadline::Clock::now();
    socket_->wait(wake_up_.get(), std::max<std::chrono::nanoseconds>(until - now, std::chrono::nanoseconds(0)));
}

} // namespace sdfleet::collective
