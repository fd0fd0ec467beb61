// SPDX-License-Identifier: Apache-2.0
#include "coordinator/core/programs.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

namespace {

using Stage = ProgramNode::Stage;

std::string text_of(const proto::RankExit& exit)
{
    if (!exit.detail.empty()) {
        return exit.detail;
    }
    return exit.signal != 0 ? "was killed by signal " + std::to_string(exit.signal)
                            : "ended with exit code " + std::to_string(exit.code);
}

constexpr std::size_t longest_detail = 512;

Milliseconds earliest(std::optional<Milliseconds> a, Milliseconds b)
{
    return a ? std::min(*a, b) : b;
}

} // namespace

ProgramNode* Program::find_node(const proto::NodeId& node_id)
{
    const auto found = std::ranges::find(nodes, node_id, [](const ProgramNode& node) { return node.placed.id; });
    return found == nodes.end() ? nullptr : &*found;
}

bool Program::are_all_gone() const
{
    return std::ranges::all_of(nodes, [](const ProgramNode& node) { return node.stage == Stage::gone; });
}

proto::ProgramState Program::state() const
{
    if (const auto* over = std::get_if<Over>(&phase)) {
        return over->state;
    }
    return is<Waiting>()   ? proto::ProgramState::waiting
           : is<Running>() ? proto::ProgramState::running
                           : proto::ProgramState::stopping;
}

// ---------------------------------------------------------------- small helpers

void Programs::fail(const Requester& requester, proto::RequestError error, std::string message)
{
    out_.effects.push_back(
        Send{requester.peer, requester.correlation, proto::RequestFailed{error, std::move(message), 0}, {}});
}

void Programs::send(const Fleet& fleet, const proto::NodeId& node, proto::Message message)
{
    if (const Node* found = fleet.find(node); found != nullptr && found->state != proto::NodeState::lost) {
        out_.effects.push_back(Send{found->control, 0, std::move(message), {}});
    }
}

void Programs::log(LogLevel level, const Program& program, const std::string& text)
{
    out_.effects.push_back(Log{level, "program " + program.id.value + ": " + text, {}});
}

void Programs::changed(Program& program)
{
    ++program.last_change;
}

Program* Programs::find_run(const proto::ProgramRun& run)
{
    const auto found = programs_.find(run.program_id);
    return found == programs_.end() || found->second.epoch != run.epoch ? nullptr : &found->second;
}

bool Programs::is_on(const proto::ProgramRun& run, const proto::NodeId& node) const
{
    const auto found = programs_.find(run.program_id);
    return found != programs_.end() && found->second.epoch == run.epoch && !found->second.is<Program::Waiting>() &&
           std::ranges::any_of(found->second.nodes, [&](const ProgramNode& part) {
               return part.placed.id == node && part.stage != Stage::gone;
           });
}

// ---------------------------------------------------------------- what nodes tell

void Programs::on(const proto::RanksStarted& message, Node& node, Fleet& fleet)
{
    Program* program = find_run(message.run);
    ProgramNode* part = program == nullptr ? nullptr : program->find_node(node.id);
    if (part == nullptr || part->stage != Stage::starting) {
        return; // told again, or over by now: a heartbeat that still names the run is answered with StopRanks
    }
    const bool has_rank_0 = part == &program->nodes.front();
    if (has_rank_0 && message.master_port == 0 && program->is<Program::Running>()) {
        return; // the others would have nowhere to go; rank 0's end follows, or else its start takes too long
    }
    part->stage = Stage::running;
    for (const auto& started : message.pids) {
        auto* rank = program->find_rank(started.rank);
        if (rank != nullptr && rank->node_id == node.id && rank->state == proto::RankState::waiting) {
            rank->pid = started.pid;
            rank->state = proto::RankState::running;
        }
    }
    changed(*program);
    auto* running = std::get_if<Program::Running>(&program->phase);
    if (running == nullptr || running->master_port != 0 || !has_rank_0) {
        return;
    }
    running->master_port = message.master_port;
    for (auto& other : program->nodes) {
        if (other.stage == Stage::chosen) {
            start_node(*program, other, fleet);
        }
    }
}

void Programs::on(const proto::RankExited& message, Node& node, Fleet&)
{
    Program* program = find_run(message.run);
    ProgramNode* part = program == nullptr ? nullptr : program->find_node(node.id);
    if (part != nullptr && part->stage != Stage::gone && part->stage != Stage::chosen) {
        end_rank(*program, *part, message.rank, message.exit);
    }
}

void Programs::on(const proto::ProgramOutput& message, Node& node, const std::vector<proto::Blob>& blobs, Fleet& fleet)
{
    Program* program = find_run(message.run);
    ProgramNode* part = program == nullptr ? nullptr : program->find_node(node.id);
    std::uint64_t weight = 0;
    std::uint64_t bytes = 0;
    for (const auto& chunk : message.chunks) {
        weight += proto::weight_of(chunk);
        bytes += chunk.bytes;
    }
    if (blobs.size() != 1 || blobs.front().bytes.size() != bytes || weight > proto::output_window) {
        return; // not what an agent of ours sends
    }
    if (part == nullptr || is_over(*program) ||
        program->is_abandoned) { // nobody will ever take it: let the agent forget it
        send(fleet, node.id, proto::OutputTaken{message.run, message.offset + weight});
        return;
    }
    if (message.offset < part->output_received) { // it came before; the word that it was taken may be lost
        if (message.offset < part->output_taken) {
            send(fleet, node.id, proto::OutputTaken{message.run, part->output_taken});
        }
        return;
    }
    if (message.offset > part->output_received ||
        part->output_received + weight - part->output_taken > proto::output_window) {
        return; // something before it is lost, and said again later; or it is more than may be under way
    }
    std::size_t begin = 0;
    for (const auto& chunk : message.chunks) {
        part->output_received += proto::weight_of(chunk);
        program->output.push({message.run,
                              node.id,
                              part->output_received,
                              chunk,
                              {blobs.front().owner, blobs.front().bytes.subspan(begin, chunk.bytes)}});
        begin += chunk.bytes;
    }
}

void Programs::on(const proto::RanksGone& message, Node& node, Fleet&)
{
    Program* program = find_run(message.run);
    ProgramNode* part = program == nullptr ? nullptr : program->find_node(node.id);
    // A node that was not told to start yet speaks of a run of an earlier coordinator.
    if (part != nullptr && part->stage != Stage::gone && part->stage != Stage::chosen) {
        node_gone(*program, *part, "its end was not told");
    }
}

void Programs::on_heartbeat(const std::vector<proto::ProgramRun>& runs, Node& node, Fleet& fleet)
{
    for (const auto& run : runs) {
        if (!is_on(run, node.id)) {
            send(fleet, node.id, proto::StopRanks{run, 0});
        }
    }
    for (auto& [id, program] : programs_) {
        ProgramNode* part = program.find_node(node.id);
        if (part == nullptr || part->stage == Stage::chosen || part->stage == Stage::gone ||
            std::ranges::find(runs, program.run()) != runs.end()) {
            if (part != nullptr) {
                part->missing_since.reset();
            }
            continue;
        }
        part->missing_since = part->missing_since.value_or(now_);
        if (now_ - *part->missing_since >= options_.missing_timeout) {
            node_gone(program, *part, "node " + node.id.value + " does not have it any more");
        }
    }
}

void Programs::on_node_lost(const proto::NodeId& id, const std::string& why, Fleet& fleet)
{
    for (auto& [name, program] : programs_) {
        ProgramNode* part = program.find_node(id);
        if (part == nullptr) {
            continue;
        }
        if (program.is<Program::Waiting>()) {
            release(program, fleet);
        } else if (part->stage != Stage::gone) {
            node_gone(program, *part, "node " + id.value + " is lost: " + why);
        }
    }
    if (Node* node = fleet.find(id)) {
        for (auto& [slot, actor] : node->actors) {
            actor.lent_to = {};
        }
    }
}

void Programs::node_gone(Program& program, ProgramNode& node, const std::string& why)
{
    for (const auto& place : node.placed.places) {
        const auto* rank = program.find_rank(place.rank);
        if (rank->state != proto::RankState::ended) {
            end_rank(program, node, place.rank, {1, 0, why});
        }
    }
    node.stage = Stage::gone;
    changed(program);
    const auto* running = std::get_if<Program::Running>(&program.phase);
    const bool others_wait =
        std::ranges::any_of(program.nodes, [](const ProgramNode& other) { return other.stage == Stage::chosen; });
    if (running != nullptr && running->master_port == 0 && others_wait && program.failed.empty()) {
        const auto rank = node.placed.places.front().rank;
        program.failed.push_back(rank);
        program.detail = "rank " + std::to_string(rank.value) + " on " + node.placed.id.value +
                         " was over before its node told where the ranks meet";
        log(LogLevel::warning, program, program.detail);
    }
}

void Programs::end_rank(Program& program, const ProgramNode& node, proto::Rank rank, proto::RankExit exit)
{
    auto* report = program.find_rank(rank);
    if (report == nullptr || report->node_id != node.placed.id || report->state == proto::RankState::ended) {
        return;
    }
    report->state = proto::RankState::ended;
    report->exit = std::move(exit);
    report->exit.detail = text_of(report->exit).substr(0, longest_detail);
    changed(program);
    out_.deaths.push_back(
        {program.run(), node.placed.id, rank,
         "rank " + std::to_string(rank.value) + " (node " + node.placed.id.value + ") " + report->exit.detail});
    if (!report->exit.is_success() && program.is<Program::Running>()) {
        program.failed.push_back(rank);
        program.detail =
            "rank " + std::to_string(rank.value) + " on " + node.placed.id.value + " " + report->exit.detail;
        log(LogLevel::info, program, program.detail);
    }
}

// ---------------------------------------------------------------- from waiting to running

void Programs::on_fleet_changed(Fleet& fleet)
{
    place_next(fleet);
}

/// In their turns: a large program must not wait for ever behind small ones that came later. But what this fleet cannot
/// hold at all, since a node went, holds up nobody.
void Programs::place_next(Fleet& fleet)
{
    std::vector<Program*> waiting;
    for (auto& [id, program] : programs_) {
        if (program.is<Program::Waiting>()) {
            waiting.push_back(&program);
        }
    }
    std::ranges::sort(waiting, {}, &Program::number);
    const Program* first = nullptr;
    for (Program* program : waiting) {
        if (first == nullptr && !place(fleet, program->spec, program->id)) {
            // Devices that a later one keeps already may be what this one lacks.
            for (Program* other : waiting) {
                if (other->number > program->number && !other->nodes.empty()) {
                    release(*other, fleet);
                }
            }
        }
        if (first != nullptr) {
            release(*program, fleet);
            wait_because(*program, "program " + first->id.value + " is to start first");
        } else if (try_start(*program, fleet) == Turn::kept) {
            first = program;
        }
    }
}

void Programs::wait_because(Program& program, std::string reason)
{
    auto& waiting = std::get<Program::Waiting>(program.phase);
    if (waiting.reason != reason) {
        waiting.reason = std::move(reason);
        changed(program);
    }
}

Programs::Turn Programs::try_start(Program& program, Fleet& fleet)
{
    auto placement = place(fleet, program.spec, program.id);
    if (!placement) {
        release(program, fleet);
        wait_because(program, std::move(placement.error().reason));
        return placement.error().is_for_ever ? Turn::passed : Turn::kept;
    }
    auto address = master_address(fleet, *placement);
    if (!address) {
        release(program, fleet);
        wait_because(program, std::move(address.error()));
        return Turn::passed;
    }
    reserve(program, std::move(*placement), fleet);
    program.master_address = std::move(*address);
    std::size_t busy = 0;
    for (const auto& part : program.nodes) {
        for (const auto& ranks : part.placed.places) {
            busy += static_cast<std::size_t>(std::ranges::count_if(ranks.slots, [&](proto::Slot slot) {
                return !fleet.find(proto::ActorId{part.placed.id, slot})->in_flight.empty();
            }));
        }
    }
    if (busy > 0) {
        wait_because(program, std::to_string(busy) + " of its devices finish an item first");
        return Turn::kept;
    }
    start(program, fleet);
    return Turn::passed;
}

/// The devices that it had and does not need are free again.
void Programs::reserve(Program& program, Placement placement, Fleet& fleet)
{
    const auto before = std::exchange(program.nodes, {});
    for (auto& placed : placement) {
        program.nodes.push_back({std::move(placed), Stage::chosen, {}, std::nullopt, 0, 0});
    }
    for (auto& [id, node] : fleet.nodes()) {
        for (auto& [slot, actor] : node.actors) {
            const ProgramNode* part = program.find_node(id);
            const bool is_chosen =
                part != nullptr &&
                std::ranges::any_of(part->placed.places, [slot = slot](const proto::RankPlace& place) {
                    return std::ranges::find(place.slots, slot) != place.slots.end();
                });
            if (is_chosen != (actor.lent_to == program.id)) {
                actor.lent_to = is_chosen ? program.id : proto::ProgramId{};
                out_.is_fleet_changed = true;
            }
        }
    }
}

void Programs::release(Program& program, Fleet& fleet)
{
    reserve(program, {}, fleet);
}

void Programs::start(Program& program, Fleet& fleet)
{
    program.phase = Program::Running{};
    program.ranks.clear();
    program.failed.clear();
    for (const auto& part : program.nodes) {
        for (const auto& place : part.placed.places) {
            proto::RankReport report;
            report.rank = place.rank;
            report.node_id = part.placed.id;
            for (const auto slot : place.slots) {
                report.devices.push_back(fleet.find(proto::ActorId{part.placed.id, slot})->state.device);
            }
            program.ranks.push_back(std::move(report));
        }
    }
    log(LogLevel::info, program,
        "starts with " + std::to_string(program.ranks.size()) + " ranks on " + std::to_string(program.nodes.size()) +
            " nodes, epoch " + std::to_string(program.epoch.value));
    changed(program);
    start_node(program, program.nodes.front(), fleet);
}

void Programs::start_node(Program& program, ProgramNode& node, Fleet& fleet)
{
    node.stage = Stage::starting;
    node.asked_at = now_;
    const auto index = static_cast<std::uint32_t>(&node - program.nodes.data());
    send(fleet, node.placed.id,
         proto::StartRanks{program.run(), program.spec, node.placed.places, index,
                           static_cast<std::uint32_t>(program.nodes.size()), program.master_address,
                           std::get<Program::Running>(program.phase).master_port});
}

// ---------------------------------------------------------------- from running to the end

void Programs::stop(Program& program, std::uint32_t grace_ms, Fleet& fleet)
{
    const Milliseconds kill_at = now_ + Milliseconds{grace_ms};
    if (auto* stopping = std::get_if<Program::Stopping>(&program.phase)) {
        if (kill_at >= stopping->kill_at) {
            return;
        }
    }
    program.phase = Program::Stopping{kill_at};
    for (auto& node : program.nodes) {
        if (node.stage == Stage::chosen) {
            node_gone(program, node, "was not started");
        }
    }
    changed(program);
    remind(program, fleet);
}

void Programs::remind(Program& program, Fleet& fleet)
{
    const auto left = std::get<Program::Stopping>(program.phase).kill_at - now_;
    for (auto& node : program.nodes) {
        if (node.stage != Stage::gone) {
            node.asked_at = now_;
            send(fleet, node.placed.id,
                 proto::StopRanks{program.run(), static_cast<std::uint32_t>(std::max<std::int64_t>(left.count, 0))});
        }
    }
}

void Programs::advance(Program& program, Fleet& fleet)
{
    if (is_over(program)) {
        return;
    }
    if (!program.is_stop_wanted && now_ - program.last_watched >= options_.watch_timeout) {
        program.is_stop_wanted = true;
        program.is_abandoned = true;
        for (const auto& [source, until] : program.output.take(program.output.last())) {
            send(fleet, source.first, proto::OutputTaken{source.second, until});
        }
        program.detail = "its client was silent for " + std::to_string(options_.watch_timeout.count / 1000) + " s";
        log(LogLevel::warning, program, program.detail + "; stopping it");
    }
    if (program.is<Program::Waiting>()) {
        if (program.is_stop_wanted) {
            release(program, fleet);
            end(program, proto::ProgramState::stopped);
            out_.is_fleet_changed = true; // the next one in turn
        }
        return;
    }
    if (program.is<Program::Running>()) {
        for (auto& node : program.nodes) {
            if (node.stage == Stage::starting && now_ - node.asked_at >= options_.start_timeout) {
                program.detail = "node " + node.placed.id.value + " did not start its ranks within " +
                                 std::to_string(options_.start_timeout.count / 1000) + " s";
                log(LogLevel::warning, program, program.detail);
                const auto rank = node.placed.places.front().rank;
                program.find_rank(rank)->exit.detail = "did not start in time";
                program.failed.push_back(rank);
            }
        }
        if (program.is_stop_wanted || !program.failed.empty()) {
            stop(program, program.spec.stop_grace_ms, fleet);
        }
    }
    if (const auto* stopping = std::get_if<Program::Stopping>(&program.phase)) {
        for (auto& node : program.nodes) {
            if (node.stage != Stage::gone && now_ >= stopping->kill_at + options_.stop_patience) {
                node_gone(program, node, "did not end");
            } else if (node.stage != Stage::gone && now_ - node.asked_at >= options_.stop_reminder) {
                remind(program, fleet);
            }
        }
    }
    if (program.are_all_gone()) {
        finish_epoch(program, fleet);
    }
}

void Programs::finish_epoch(Program& program, Fleet& fleet)
{
    release(program, fleet);
    if (program.is_stop_wanted) {
        end(program, proto::ProgramState::stopped);
    } else if (program.failed.empty()) {
        end(program, proto::ProgramState::done);
    } else if (program.epoch.value <= program.spec.max_restarts) {
        program.detail += "; starting again, " + std::to_string(program.epoch.value) + " of " +
                          std::to_string(program.spec.max_restarts) + " restarts";
        log(LogLevel::info, program, program.detail);
        ++program.epoch.value;
        program.failed.clear();
        program.phase = Program::Waiting{};
        changed(program);
    } else {
        end(program, proto::ProgramState::failed);
    }
    out_.is_fleet_changed = true;
}

void Programs::end(Program& program, proto::ProgramState state)
{
    program.phase = Program::Over{state, now_ + options_.keep};
    log(LogLevel::info, program,
        state == proto::ProgramState::done     ? "done"
        : state == proto::ProgramState::failed ? "failed: " + program.detail
                                               : "stopped" + (program.detail.empty() ? "" : ": " + program.detail));
    changed(program);
}

ProgramOutbox Programs::finish_step(Milliseconds now, Fleet& fleet)
{
    now_ = now;
    bool is_someone_waiting = false;
    for (auto& [id, program] : programs_) {
        advance(program, fleet);
        is_someone_waiting = is_someone_waiting || program.is<Program::Waiting>();
    }
    if (is_someone_waiting && out_.is_fleet_changed) {
        place_next(fleet);
    }
    for (auto& [id, program] : programs_) {
        answer_watcher(program);
    }
    std::erase_if(programs_, [this](const auto& entry) {
        const auto* over = std::get_if<Program::Over>(&entry.second.phase);
        return over != nullptr && now_ >= over->forget_at;
    });
    due_at_ = next_deadline();
    return std::exchange(out_, {});
}

void Programs::begin_step(Milliseconds now)
{
    now_ = now;
    // Late means that this process was held up, not that the clients fell silent: their words wait unread.
    if (due_at_ && now - *due_at_ > options_.late) {
        for (auto& [id, program] : programs_) {
            program.last_watched = std::min(now, program.last_watched + (now - *due_at_));
        }
    }
}

std::optional<Milliseconds> Programs::next_deadline() const
{
    std::optional<Milliseconds> deadline;
    for (const auto& [id, program] : programs_) {
        if (const auto own = deadline_of(program)) {
            deadline = earliest(deadline, *own);
        }
    }
    return deadline;
}

std::optional<Milliseconds> Programs::deadline_of(const Program& program) const
{
    std::optional<Milliseconds> deadline;
    if (program.watcher) {
        deadline = program.watcher_deadline;
    }
    if (const auto* over = std::get_if<Program::Over>(&program.phase)) {
        return earliest(deadline, over->forget_at);
    }
    if (!program.is_stop_wanted) {
        deadline = earliest(deadline, program.last_watched + options_.watch_timeout);
    }
    for (const auto& node : program.nodes) {
        if (program.is<Program::Running>() && node.stage == Stage::starting) {
            deadline = earliest(deadline, node.asked_at + options_.start_timeout);
        } else if (program.is<Program::Stopping>() && node.stage != Stage::gone) {
            deadline = earliest(deadline, node.asked_at + options_.stop_reminder);
        }
    }
    return deadline;
}

} // namespace sdfleet::coordinator
