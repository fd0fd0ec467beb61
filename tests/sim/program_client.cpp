// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/program_client.hpp"

#include "tests/sim/program_text.hpp"
#include "tests/sim/violation.hpp"

#include <algorithm>
#include <sstream>

namespace sdfleet::sim {

namespace {

constexpr Time answer_patience = 5'000;
constexpr std::uint32_t watch_ms = 2'000;

} // namespace

ProgramClient::ProgramClient(Environment& environment, CoordinatorHost& coordinator, const ProgramPlan& plan)
    : environment_(environment), coordinator_(coordinator), plan_(plan), name_("launcher of " + plan.id.value),
      link_(environment, name_), watch_{plan.id, 0, 0, watch_ms}
{
    coordinator_.on_start([this] { reconnect(); });
}

void ProgramClient::start()
{
    reconnect();
    environment_.agenda.at(plan_.launch_at, [this] {
        stage_ = Stage::launching;
        ask();
    });
    if (plan_.stop_at) {
        environment_.agenda.at(*plan_.stop_at,
                               [this] { stage_ = stage_ == Stage::watching ? Stage::stopping : stage_; });
    }
    if (plan_.silent_at) {
        environment_.agenda.at(*plan_.silent_at, [this] { stage_ = Stage::over; });
    }
}

std::string ProgramClient::describe_waiting() const
{
    return is_done() ? "" : " " + plan_.id.value + " (stage " + std::to_string(static_cast<int>(stage_)) + ")";
}

void ProgramClient::reconnect()
{
    coordinator_.disconnect(name_ + "." + std::to_string(connection_));
    ++connection_;
    coordinator_.connect(
        name_ + "." + std::to_string(connection_), [this, connection = connection_](const coordinator::Send& send) {
            link_.send(Direction::from_coordinator, proto::Channel::control, send.message, [this, connection, send] {
                if (connection == connection_) {
                    hear(send);
                }
            });
        });
    send(proto::ClientHello{}, 0);
}

void ProgramClient::send(const proto::Message& message, std::uint64_t correlation)
{
    const auto peer = name_ + "." + std::to_string(connection_);
    link_.send(Direction::to_coordinator, proto::Channel::control, message, [this, peer, message, correlation] {
        coordinator_.receive(
            {{peer}, {}, correlation, message, {}, static_cast<std::uint64_t>(environment_.now()), true});
    });
}

void ProgramClient::ask()
{
    if (stage_ == Stage::over || stage_ == Stage::planned) {
        return;
    }
    correlation_ = ++last_correlation_;
    if (stage_ == Stage::launching) {
        send(proto::LaunchProgram{plan_.id, plan_.spec}, correlation_);
    } else if (stage_ == Stage::stopping) {
        send(proto::StopProgram{plan_.id, false}, correlation_);
    } else {
        send(watch_, correlation_);
    }
    environment_.agenda.in(answer_patience, [this, correlation = correlation_] {
        if (correlation_ == correlation) {
            send(proto::ClientHello{}, 0); // perhaps nobody knows us any more
            ask();
        }
    });
}

void ProgramClient::ask_later(Time delay)
{
    correlation_ = ++last_correlation_; // what still comes is too late
    environment_.agenda.in(delay, [this, correlation = correlation_] {
        if (correlation_ == correlation) {
            ask();
        }
    });
}

void ProgramClient::hear(const coordinator::Send& send)
{
    if (send.correlation == 0 || send.correlation != correlation_ || stage_ == Stage::over) {
        return;
    }
    if (const auto* failure = std::get_if<proto::RequestFailed>(&send.message)) {
        on_failure(*failure);
    } else if (std::holds_alternative<proto::Refused>(send.message)) {
        this->send(proto::ClientHello{}, 0);
        ask_later(200);
    } else if (std::holds_alternative<proto::ProgramLaunched>(send.message)) {
        stage_ = Stage::watching;
        ask();
    } else if (const auto* changes = std::get_if<proto::ProgramChanges>(&send.message)) {
        if (stage_ == Stage::stopping) { // its output is asked for again
            stage_ = Stage::watching;
            ask();
        } else {
            on_changes(*changes, send.blobs);
        }
    }
}

/// A fleet that is too small now may be larger in a while; programs do not outlive their coordinator.
void ProgramClient::on_failure(const proto::RequestFailed& failure)
{
    if (failure.error == proto::RequestError::unservable && !environment_.faults.is_over()) {
        ask_later(1'000);
        return;
    }
    require(failure.error == proto::RequestError::unservable || failure.error == proto::RequestError::unknown_program,
            "I15", [&] { return "the answer to a good request of " + name_ + " was: " + failure.message; });
    stage_ = Stage::over;
}

void ProgramClient::on_changes(const proto::ProgramChanges& changes, const std::vector<proto::Blob>& blobs)
{
    std::string_view bytes;
    if (!blobs.empty()) {
        bytes = {reinterpret_cast<const char*>(blobs.front().bytes.data()), blobs.front().bytes.size()};
    }
    for (const auto& chunk : changes.output) {
        check(chunk, bytes.substr(0, chunk.bytes));
        bytes.remove_prefix(chunk.bytes);
    }
    watch_.output_taken = changes.last_output;
    watch_.seen_change = changes.last_change;
    const bool is_over = changes.state >= proto::ProgramState::done;
    watch_.wait_ms = is_over ? 0 : watch_ms;
    if (is_over && changes.output.empty()) {
        check_end(changes);
        stage_ = Stage::over;
        return;
    }
    ask();
}

/// Each word is the next one of its rank's try.
void ProgramClient::check(const proto::OutputChunk& chunk, std::string_view bytes)
{
    auto& reader = readers_[chunk.rank.value];
    reader.rest += bytes;
    for (; reader.rest.size() >= word_bytes; reader.rest.erase(0, word_bytes)) {
        std::istringstream word(reader.rest.substr(0, word_bytes));
        std::uint64_t epoch = 0;
        std::uint32_t rank = 0;
        std::uint32_t number = 0;
        word >> epoch >> rank >> number;
        if (epoch > reader.epoch) {
            reader = {epoch, 0, reader.rest};
        }
        require(epoch == reader.epoch && rank == chunk.rank.value && number == reader.next++, "I16", [&] {
            return name_ + " reads word " + std::to_string(number) + " of try " + std::to_string(epoch) + " of rank " +
                   std::to_string(rank) + ", but word " + std::to_string(reader.next - 1) + " of try " +
                   std::to_string(reader.epoch) + " of rank " + std::to_string(chunk.rank.value) + " is the next";
        });
    }
}

void ProgramClient::check_end(const proto::ProgramChanges& changes) const
{
    const auto plan = plan_of(plan_.spec.command);
    environment_.ended_programs.push_back(changes.state);
    require(changes.state != proto::ProgramState::done || plan.failing_epochs < changes.epoch.value, "I16", [&] {
        return plan_.id.value + " is done, but rank " + std::to_string(plan.failing_rank) + " fails in try " +
               std::to_string(changes.epoch.value);
    });
    require(changes.epoch.value <= plan_.spec.max_restarts + 1, "I16",
            [&] { return plan_.id.value + " was started " + std::to_string(changes.epoch.value) + " times"; });
}

} // namespace sdfleet::sim
