// SPDX-License-Identifier: Apache-2.0
// What the clients of programs ask, and what they are told.
#include "coordinator/core/programs.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::coordinator {

void Programs::refuse(const Requester& requester)
{
    fail(requester, proto::RequestError::not_allowed,
         "this client may not run programs on the nodes: issue its key with 'sdctl keys issue NAME --may-launch', or, "
         "for a coordinator that only this machine reaches, start it with --allow-programs");
}

void Programs::on(const proto::LaunchProgram& message, const Requester& requester, Fleet& fleet)
{
    const proto::ProgramLaunched launched{message.program_id, static_cast<std::uint32_t>(options_.watch_timeout.count)};
    if (const auto known = programs_.find(message.program_id); known != programs_.end()) {
        if (known->second.spec != message.spec) {
            fail(requester, proto::RequestError::conflict,
                 "there is another program " + message.program_id.value + " already");
            return;
        }
        out_.effects.push_back(Send{requester.peer, requester.correlation, launched, {}});
        return;
    }
    if (!proto::is_valid_name(message.program_id.value)) {
        fail(requester, proto::RequestError::invalid, "a program's id has 1 to 64 of A-Z a-z 0-9 . _ -");
        return;
    }
    if (const auto fault = proto::find_fault(message.spec)) {
        fail(requester, proto::RequestError::invalid, *fault);
        return;
    }
    if (const auto placement = place(fleet, message.spec, message.program_id);
        !placement && placement.error().is_for_ever) {
        fail(requester, proto::RequestError::unservable, placement.error().reason);
        return;
    }
    if (programs_.size() >= options_.programs) {
        out_.effects.push_back(
            Send{requester.peer,
                 requester.correlation,
                 proto::RequestFailed{proto::RequestError::overloaded, "too many programs are in the books", 1'000},
                 {}});
        return;
    }
    Program program;
    program.id = message.program_id;
    program.spec = message.spec;
    program.number = ++last_number_;
    program.last_watched = now_;
    log(LogLevel::info, program,
        "launched: " + message.spec.command.front() + ", " + std::to_string(message.spec.ranks) + " ranks");
    programs_.emplace(message.program_id, std::move(program));
    out_.effects.push_back(Send{requester.peer, requester.correlation, launched, {}});
    out_.is_fleet_changed = true; // whether it can start at once
}

void Programs::on(const proto::WatchProgram& message, const Requester& requester, Fleet& fleet)
{
    const auto found = programs_.find(message.program_id);
    if (found == programs_.end()) {
        fail(requester, proto::RequestError::unknown_program,
             "there is no program " + message.program_id.value +
                 "; a coordinator that was started again stops what ran before");
        return;
    }
    Program& program = found->second;
    program.last_watched = now_;
    for (const auto& [source, until] : program.output.take(message.output_taken)) {
        send(fleet, source.first, proto::OutputTaken{source.second, until});
        ProgramNode* part = source.second == program.run() ? program.find_node(source.first) : nullptr;
        if (part != nullptr) {
            part->output_taken = until;
        }
    }
    if (program.watcher) {
        send_changes(program, *std::exchange(program.watcher, std::nullopt));
    }
    program.watcher = requester;
    program.watcher_deadline = now_ + Milliseconds{std::min(message.wait_ms, options_.longest_wait_ms)};
    program.watcher_saw = message.seen_change;
}

void Programs::on(const proto::StopProgram& message, const Requester& requester, Fleet& fleet)
{
    const auto found = programs_.find(message.program_id);
    if (found == programs_.end()) {
        fail(requester, proto::RequestError::unknown_program, "there is no program " + message.program_id.value);
        return;
    }
    Program& program = found->second;
    if (!is_over(program) && !program.is_stop_wanted) {
        program.is_stop_wanted = true;
        program.detail = "its client stopped it";
        changed(program);
    }
    if (message.kill && !is_over(program) && !program.is<Program::Waiting>()) {
        stop(program, 0, fleet);
    }
    send_changes(program, requester);
}

/// Output and changes go out at once, the rest when the client's patience ends, or the program is forgotten.
void Programs::answer_watcher(Program& program)
{
    const auto* over = std::get_if<Program::Over>(&program.phase);
    const bool is_last_chance = over != nullptr && now_ >= over->forget_at;
    if (program.watcher && (is_last_chance || now_ >= program.watcher_deadline ||
                            program.last_change != program.watcher_saw || !program.output.empty())) {
        send_changes(program, *std::exchange(program.watcher, std::nullopt));
    }
}

void Programs::send_changes(Program& program, const Requester& requester)
{
    proto::ProgramChanges changes;
    changes.program_id = program.id;
    changes.state = program.state();
    changes.epoch = program.epoch;
    if (const auto* waiting = std::get_if<Program::Waiting>(&program.phase)) {
        changes.waiting_for = waiting->reason;
    }
    changes.detail = program.detail;
    changes.ranks = program.ranks;
    changes.failed = program.failed;
    changes.last_change = program.last_change;
    std::string bytes;
    program.output.append_to(changes, bytes, options_.answer_bytes);
    std::vector<proto::Blob> blobs;
    if (!bytes.empty()) {
        blobs.push_back(proto::Blob::of(std::move(bytes)));
    }
    out_.effects.push_back(Send{requester.peer, requester.correlation, std::move(changes), std::move(blobs)});
}

} // namespace sdfleet::coordinator
