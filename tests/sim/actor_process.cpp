// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/actor_process.hpp"

#include "proto/batch_key.hpp"
#include "tests/sim/description.hpp"
#include "tests/sim/picture.hpp"
#include "tests/sim/violation.hpp"

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t death_per_million_steps = 4'000;
constexpr std::uint64_t stop_per_million_steps = 2'000;
constexpr std::uint64_t stuck_per_million_steps = 1'000;
constexpr std::uint64_t slow_per_million_steps = 2'000;
constexpr Time heartbeat_interval = 500;
constexpr Time for_ever = 1'000'000'000;

} // namespace

void ActorProcess::later(Time delay, void (ActorProcess::*what)())
{
    environment_.agenda.in(delay, [self = shared_from_this(), what] {
        if (!self->is_alive_) {
            return;
        }
        if (self->is_stopped()) {
            if (self->stopped_until_ < for_ever) {
                self->later(self->stopped_until_ - self->environment_.now(), what);
            }
            return;
        }
        (self.get()->*what)();
    });
}

void ActorProcess::say(proto::Message message, std::vector<proto::Blob> blobs)
{
    environment_.agenda.in(environment_.random.between(0, 1),
                           [self = shared_from_this(), message = std::move(message), blobs = std::move(blobs)] {
                               if (self->owner_.hears) {
                                   self->owner_.hears(self->launch_, message, blobs);
                               }
                           });
}

void ActorProcess::start()
{
    later(environment_.random.between(50, 1'500), &ActorProcess::say_hello);
}

void ActorProcess::say_hello()
{
    say(proto::ActorHello{1, 1, "simulated", launch_.slot, launch_.number, static_cast<std::uint32_t>(max_batch_)});
    beat();
}

void ActorProcess::beat()
{
    say(proto::Heartbeat{++beats_, {}, {}, {}});
    later(heartbeat_interval, &ActorProcess::beat);
}

void ActorProcess::send(const proto::Message& message)
{
    heard_at_ = std::max(heard_at_, environment_.now() + environment_.random.between(0, 1));
    environment_.agenda.at(heard_at_, [self = shared_from_this(), message] { self->hear(message); });
}

void ActorProcess::hear(const proto::Message& message)
{
    if (!is_alive_) {
        return;
    }
    if (const auto* assign = std::get_if<proto::Assign>(&message)) {
        take(*assign);
    } else if (const auto* cancelled = std::get_if<proto::CancelAttempt>(&message)) {
        cancel(cancelled->attempt_id);
    } else if (std::holds_alternative<proto::Goodbye>(message)) {
        die("left", 0);
    }
}

void ActorProcess::take(const proto::Assign& assign)
{
    const auto wanted = std::ranges::count(batch_, false, &Drawn::is_cancelled) + std::ssize(waiting_);
    require(wanted <= static_cast<std::ptrdiff_t>(max_batch_), "I4", [&] {
        return name_ + " got " + describe(assign.attempt_id) + " and has " + std::to_string(wanted) + " already";
    });
    const bool is_any_alone = std::ranges::any_of(batch_, [](const Drawn& item) { return item.assign.alone; }) ||
                              std::ranges::any_of(waiting_, &proto::Assign::alone);
    require(!is_any_alone && (!assign.alone || !is_busy()), "I4", [&] {
        return name_ + " got " + describe(assign.attempt_id) + " beside an attempt that is to be alone, or is itself";
    });
    waiting_.push_back(assign);
    if (batch_.empty()) {
        join();
        later(step_ms(), &ActorProcess::take_step);
    }
}

void ActorProcess::cancel(proto::AttemptId id)
{
    for (auto& item : batch_) {
        item.is_cancelled = item.is_cancelled || item.assign.attempt_id == id;
    }
    const auto waiting = std::ranges::find(waiting_, id, &proto::Assign::attempt_id);
    if (waiting != waiting_.end()) {
        fail(*waiting, proto::FailureReason::cancelled, "cancelled before it started");
        waiting_.erase(waiting);
    }
}

/// Strictly in the order of arrival.
void ActorProcess::join()
{
    while (!waiting_.empty() && fits(waiting_.front())) {
        Drawn item{waiting_.front(), 0, 1, environment_.now(), false, false};
        if (const auto* diffusion = std::get_if<proto::DiffusionParameters>(&item.assign.parameters.kind)) {
            item.steps = diffusion->num_inference_steps;
        }
        say(proto::Started{item.assign.attempt_id});
        batch_.push_back(std::move(item));
        waiting_.pop_front();
    }
}

bool ActorProcess::fits(const proto::Assign& assign) const
{
    return batch_.empty() || (batch_.size() < max_batch_ &&
                              proto::batch_key(assign.model, assign.parameters) ==
                                  proto::batch_key(batch_.front().assign.model, batch_.front().assign.parameters));
}

Time ActorProcess::step_ms()
{
    if (const auto* echo = std::get_if<proto::EchoParameters>(&batch_.front().assign.parameters.kind)) {
        return Time{echo->delay_ms} + 1;
    }
    return environment_.random.between(40, 120) * slowness_;
}

void ActorProcess::take_step()
{
    if (is_stuck_) {
        return;
    }
    for (const auto& item : batch_) {
        if (item.is_cancelled) {
            fail(item.assign, proto::FailureReason::cancelled, "cancelled");
        }
    }
    std::erase_if(batch_, &Drawn::is_cancelled);
    if (!batch_.empty()) {
        if (!suffer()) {
            return;
        }
        advance();
    }
    join();
    if (!batch_.empty()) {
        later(step_ms(), &ActorProcess::take_step);
    }
}

/// What goes wrong with this step; false when it was the last.
bool ActorProcess::suffer()
{
    auto& faults = environment_.faults;
    const bool is_poisoned =
        std::ranges::any_of(batch_, [](const Drawn& item) { return item.assign.item.prompt == poison_prompt; });
    if (is_poisoned || faults.strikes(Fault::actor_death, death_per_million_steps)) {
        die("was killed by SIGSEGV");
        return false;
    }
    if (faults.strikes(Fault::actor_stop, stop_per_million_steps)) {
        stop(environment_.random.chance(300) ? for_ever : environment_.now() + environment_.random.between(500, 9'000));
    }
    is_stuck_ = faults.strikes(Fault::actor_stuck, stuck_per_million_steps);
    if (faults.strikes(Fault::actor_slow, slow_per_million_steps)) {
        slow_down();
    }
    return true;
}

void ActorProcess::advance()
{
    for (auto& item : batch_) {
        if (item.assign.item.prompt == impossible_prompt) {
            fail(item.assign, proto::FailureReason::bad_request, "the model cannot draw this");
            item.is_over = true;
        } else if (++item.step >= item.steps) {
            finish(item);
            item.is_over = true;
        } else {
            say(proto::StepProgress{item.assign.attempt_id, item.step, item.steps});
        }
    }
    std::erase_if(batch_, &Drawn::is_over);
}

void ActorProcess::finish(const Drawn& item)
{
    const auto& assign = item.assign;
    auto picture = picture_of(assign.model, assign.parameters, assign.item);
    proto::ItemDone done{assign.attempt_id,
                         assign.job_id,
                         assign.index,
                         "image/png",
                         base::sha256_hex(picture),
                         static_cast<std::uint64_t>(environment_.now() - item.begun_at)};
    say(std::move(done), {proto::Blob::of(std::move(picture))});
}

void ActorProcess::fail(const proto::Assign& assign, proto::FailureReason reason, std::string message)
{
    say(proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, reason, std::move(message)});
}

void ActorProcess::die(const std::string& how, std::optional<int> exit_code)
{
    if (!is_alive_) {
        return;
    }
    is_alive_ = false;
    environment_.trace.note(environment_.now(), name_, launch_.number, [&] { return "dies: " + how; });
    environment_.agenda.in(environment_.random.between(1, 5), [self = shared_from_this(), how, exit_code] {
        if (self->owner_.reaps) {
            self->owner_.reaps(self->launch_, exit_code, how);
        }
    });
}

} // namespace sdfleet::sim
