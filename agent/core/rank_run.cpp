// SPDX-License-Identifier: Apache-2.0
#include "agent/core/rank_run.hpp"

#include "agent/core/rank_environment.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

namespace {

std::size_t index_of(proto::OutputStream stream)
{
    return static_cast<std::size_t>(stream);
}

constexpr std::array both_streams{proto::OutputStream::out, proto::OutputStream::err};

} // namespace

RankRun::RankRun(proto::StartRanks order, const Limits& limits, std::vector<ActorSlot>& slots, Milliseconds now,
                 Outbox& out)
    : order_(std::move(order)), limits_(limits), master_port_(order_.master_port)
{
    for (const auto& place : order_.places) {
        ranks_[place.rank].place = place;
        for (const auto slot : place.slots) {
            slots.at(slot.value).lend(now, out);
        }
    }
}

bool RankRun::is_alive(proto::Rank rank) const
{
    const auto found = ranks_.find(rank);
    return found != ranks_.end() && is<Running>() && !found->second.exit;
}

bool RankRun::are_all_ended() const
{
    return std::ranges::all_of(ranks_, [](const auto& entry) { return entry.second.exit.has_value(); });
}

bool RankRun::are_streams_ended() const
{
    return std::ranges::all_of(ranks_, [](const auto& entry) {
        return std::ranges::all_of(entry.second.streams, [](Reading r) { return r == Reading::ended; });
    });
}

bool RankRun::has_processes() const
{
    return is<Running>() && !are_all_ended();
}

bool RankRun::may_be_forgotten(Milliseconds now) const
{
    const auto* gone = std::get_if<Gone>(&phase_);
    // A stream that was not read to its end would stay open.
    return gone != nullptr && are_streams_ended() && now >= gone->at + limits_.run_memory;
}

// ---------------------------------------------------------------- start

bool RankRun::are_devices_ours(const std::vector<ActorSlot>& slots) const
{
    return std::ranges::all_of(ranks_, [&](const auto& entry) {
        return std::ranges::all_of(entry.second.place.slots,
                                   [&](proto::Slot slot) { return slots.at(slot.value).is_lent(); });
    });
}

void RankRun::begin(const Settings& settings, const std::vector<ActorSlot>& slots, Outbox& out)
{
    if (stopping_) {
        give_up("was stopped before it started", out);
    } else if (is<Vacating>() && are_devices_ours(slots)) {
        phase_ = Choosing{};
        if (master_port_ == 0) {
            out.effects.push_back(ChoosePort{run()});
        }
    }
    if (is<Choosing>() && master_port_ != 0) {
        spawn_all(settings, out);
    }
}

void RankRun::on_port(std::uint16_t port, Outbox& out)
{
    if (!is<Choosing>()) {
        return; // it was stopped meanwhile
    }
    master_port_ = port;
    if (port == 0) {
        give_up("was not started: there is no free port for the ranks to meet", out);
    }
}

void RankRun::spawn_all(const Settings& settings, Outbox& out)
{
    phase_ = Running{};
    for (auto& [rank, state] : ranks_) {
        state.streams = {Reading::idle, Reading::idle};
        out.effects.push_back(SpawnRank{run(), rank, order_.spec.command, order_.spec.working_dir,
                                        rank_environment(settings, order_, state.place, master_port_)});
    }
}

void RankRun::give_up(const std::string& why, Outbox& out)
{
    phase_ = Running{};
    for (auto& [rank, state] : ranks_) {
        state.exit = proto::RankExit{1, 0, why};
        out.control.emplace_back(proto::RankExited{run(), rank, *state.exit});
    }
}

void RankRun::on_spawned(const RankSpawned& event)
{
    if (const auto found = ranks_.find(event.rank); found != ranks_.end()) {
        found->second.pid = event.pid;
    }
}

/// Once it is known of each rank whether it could be started.
void RankRun::tell_started(Outbox& out)
{
    const auto is_known = [](const auto& entry) { return entry.second.pid != 0 || entry.second.exit.has_value(); };
    if (!is_start_told_ && std::ranges::all_of(ranks_, is_known)) {
        is_start_told_ = true;
        out.control.emplace_back(started());
    }
}

proto::RanksStarted RankRun::started() const
{
    proto::RanksStarted message{run(), master_port_, {}};
    for (const auto& [rank, state] : ranks_) {
        if (state.pid != 0) {
            message.pids.push_back({rank, state.pid});
        }
    }
    return message;
}

// ---------------------------------------------------------------- output

void RankRun::read_on(Outbox& out)
{
    for (auto& [rank, state] : ranks_) {
        for (const auto stream : both_streams) {
            auto& reading = state.streams[index_of(stream)];
            if (reading == Reading::idle) {
                reading = Reading::under_way;
                out.effects.push_back(ReadOutput{run(), rank, stream});
            }
        }
    }
}

void RankRun::on_wrote(RankWrote event, Outbox& out)
{
    const auto found = ranks_.find(event.rank);
    if (found == ranks_.end()) {
        return;
    }
    auto& reading = found->second.streams[index_of(event.stream)];
    if (event.bytes.empty()) {
        reading = Reading::ended;
    } else if (is_abandoned_ || is<Gone>()) {
        reading = Reading::idle; // nobody wants it; but the stream is to be read to its end
    } else {
        reading = Reading::held;
        const proto::OutputChunk chunk{event.rank, event.stream, static_cast<std::uint32_t>(event.bytes.size())};
        held_.push_back({chunk, proto::Blob::of(std::move(event.bytes))});
        send_held(out);
    }
}

/// As much as may be under way.
void RankRun::send_held(Outbox& out)
{
    while (!held_.empty() &&
           sent_until_ - taken_until_ + proto::weight_of(held_.front().chunk) <= proto::output_window) {
        auto [chunk, bytes] = std::move(held_.front());
        held_.pop_front();
        ranks_.at(chunk.rank).streams[index_of(chunk.stream)] = Reading::idle;
        SentOutput output{{run(), sent_until_, {chunk}}, std::move(bytes), sent_until_ + proto::weight_of(chunk)};
        sent_until_ = output.end;
        out.bulky.push_back({{}, output.message, {output.bytes}});
        sent_.push_back(std::move(output));
    }
}

void RankRun::drop_output()
{
    for (const auto& output : std::exchange(held_, {})) {
        ranks_.at(output.chunk.rank).streams[index_of(output.chunk.stream)] = Reading::idle;
    }
    sent_.clear();
    taken_until_ = sent_until_;
}

void RankRun::send_again(Outbox& out) const
{
    for (const auto& output : sent_) {
        out.bulky.push_back({{}, output.message, {output.bytes}});
    }
}

/// It may be lost, or the word that it was taken: then nothing would move any more.
void RankRun::repeat_output(Milliseconds now, Outbox& out)
{
    if (sent_.empty()) {
        repeat_at_.reset();
    } else if (!repeat_at_ || now >= *repeat_at_) {
        if (repeat_at_) {
            send_again(out);
        }
        repeat_at_ = now + limits_.output_repeat;
    }
}

void RankRun::on_taken(std::uint64_t until)
{
    if (until > taken_until_) {
        repeat_at_.reset();
    }
    taken_until_ = std::clamp(until, taken_until_, sent_until_);
    while (!sent_.empty() && sent_.front().end <= taken_until_) {
        sent_.pop_front();
    }
}

/// What was said to the connection before may be lost.
void RankRun::on_welcome(Outbox& out) const
{
    if (!is<Running>() && !is<Gone>()) {
        return;
    }
    out.control.emplace_back(started());
    send_again(out);
    for (const auto& [rank, state] : ranks_) {
        if (state.exit) {
            out.control.emplace_back(proto::RankExited{run(), rank, *state.exit});
        }
    }
    if (is<Gone>()) {
        out.control.emplace_back(proto::RanksGone{run()});
    }
}

// ---------------------------------------------------------------- end

void RankRun::on_ended(const RankEnded& event, Outbox& out)
{
    const auto found = ranks_.find(event.rank);
    if (found == ranks_.end() || found->second.exit) {
        return;
    }
    found->second.exit = event.exit;
    out.control.emplace_back(proto::RankExited{run(), event.rank, event.exit});
}

void RankRun::end_all(Ending ending, Outbox& out) const
{
    for (const auto& [rank, state] : ranks_) {
        if (!state.exit) {
            out.effects.push_back(EndRank{run(), rank, ending});
        }
    }
}

void RankRun::stop(Milliseconds grace, Milliseconds now, Outbox& out)
{
    const auto kill_at = now + grace;
    if (!stopping_) {
        stopping_ = Stopping{kill_at, std::nullopt};
        if (is<Running>() && grace.count() > 0) {
            end_all(Ending::ask, out);
        }
    } else if (kill_at < stopping_->kill_at) {
        stopping_->kill_at = kill_at;
    }
    escalate(now, out); // without grace: in this very step
}

void RankRun::abandon(Milliseconds now, Outbox& out)
{
    is_abandoned_ = true;
    drop_output();
    stop(Milliseconds{0}, now, out);
    if (is<Running>()) {
        escalate(now, out); // now, not with the next step: the lease is over
    }
}

void RankRun::escalate(Milliseconds now, Outbox& out)
{
    if (!stopping_ || !is<Running>() || are_all_ended()) {
        return;
    }
    if (!stopping_->clean_up_at && now >= stopping_->kill_at) {
        stopping_->clean_up_at = now + limits_.rank_kill_repeat;
        end_all(Ending::kill, out);
    } else if (stopping_->clean_up_at && now >= *stopping_->clean_up_at) {
        stopping_->clean_up_at = now + limits_.rank_kill_repeat;
        end_all(Ending::clean_up, out);
    }
}

void RankRun::advance(Milliseconds now, const Settings& settings, std::vector<ActorSlot>& slots, Outbox& out)
{
    repeat_output(now, out);
    if (is<Vacating>() || is<Choosing>()) {
        begin(settings, slots, out);
    }
    if (is<Gone>()) {
        read_on(out);
    }
    if (!is<Running>()) {
        return;
    }
    tell_started(out);
    escalate(now, out);
    if (are_all_ended() && has_devices_ && are_devices_ours(slots)) {
        has_devices_ = false;
        streams_deadline_ = now + limits_.run_memory;
        for (const auto& [rank, state] : ranks_) {
            for (const auto slot : state.place.slots) {
                slots.at(slot.value).reclaim(now, out);
            }
        }
    }
    send_held(out);
    read_on(out);
    if (!has_devices_ && (are_streams_ended() || is_abandoned_ || now >= *streams_deadline_)) {
        if (!are_streams_ended()) {
            drop_output();
        }
        phase_ = Gone{now};
        out.control.emplace_back(proto::RanksGone{run()});
    }
}

std::optional<Milliseconds> RankRun::next_deadline() const
{
    if (const auto* gone = std::get_if<Gone>(&phase_)) {
        return are_streams_ended() ? earlier(repeat_at_, gone->at + limits_.run_memory) : repeat_at_;
    }
    auto deadline = earlier(streams_deadline_, repeat_at_);
    if (stopping_ && is<Running>() && !are_all_ended()) {
        deadline = earlier(deadline, stopping_->clean_up_at ? *stopping_->clean_up_at : stopping_->kill_at);
    }
    return deadline;
}

} // namespace sdfleet::agent
