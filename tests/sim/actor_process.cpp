// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/actor_process.hpp"

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
    environment_.agenda.in(delay, [self = shared_from_this(), what, item = items_] {
        if (!self->is_alive_ || (what == &ActorProcess::take_step && item != self->items_)) {
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
    say(proto::ActorHello{1, 1, "simulated", launch_.slot, launch_.number});
    beat();
}

void ActorProcess::beat()
{
    say(proto::Heartbeat{++beats_, {}, {}, {}});
    later(heartbeat_interval, &ActorProcess::beat);
}

void ActorProcess::hear(const proto::Message& message)
{
    if (!is_alive_) {
        return;
    }
    if (const auto* assign = std::get_if<proto::Assign>(&message)) {
        begin(*assign);
    } else if (const auto* cancel = std::get_if<proto::CancelAttempt>(&message)) {
        is_cancelled_ = is_cancelled_ || (item_ && item_->attempt_id == cancel->attempt_id);
    } else if (std::holds_alternative<proto::Goodbye>(message)) {
        die("left", 0);
    }
}

void ActorProcess::begin(const proto::Assign& assign)
{
    require(!item_, "I4", [&] {
        return name_ + " got " + describe(assign.attempt_id) + " while it draws " + describe(item_->attempt_id);
    });
    item_ = assign;
    ++items_;
    step_ = 0;
    steps_ = 1;
    if (const auto* diffusion = std::get_if<proto::DiffusionParameters>(&assign.parameters.kind)) {
        steps_ = diffusion->num_inference_steps;
    }
    is_cancelled_ = false;
    begun_at_ = environment_.now();
    say(proto::Started{assign.attempt_id});
    later(step_ms(), &ActorProcess::take_step);
}

Time ActorProcess::step_ms()
{
    if (const auto* echo = std::get_if<proto::EchoParameters>(&item_->parameters.kind)) {
        return Time{echo->delay_ms} + 1;
    }
    return environment_.random.between(40, 120) * slowness_;
}

void ActorProcess::take_step()
{
    auto& faults = environment_.faults;
    if (!item_ || is_stuck_) {
        return;
    }
    if (is_cancelled_) {
        fail(proto::FailureReason::cancelled, "cancelled");
        return;
    }
    if (item_->item.prompt == poison_prompt || faults.strikes(Fault::actor_death, death_per_million_steps)) {
        die("was killed by SIGSEGV");
        return;
    }
    if (item_->item.prompt == impossible_prompt) {
        fail(proto::FailureReason::bad_request, "the model cannot draw this");
        return;
    }
    if (faults.strikes(Fault::actor_stop, stop_per_million_steps)) {
        stop(environment_.random.chance(300) ? for_ever : environment_.now() + environment_.random.between(500, 9'000));
    }
    is_stuck_ = faults.strikes(Fault::actor_stuck, stuck_per_million_steps);
    if (faults.strikes(Fault::actor_slow, slow_per_million_steps)) {
        slow_down();
    }
    if (++step_ >= steps_) {
        finish();
        return;
    }
    say(proto::StepProgress{item_->attempt_id, step_, steps_});
    later(step_ms(), &ActorProcess::take_step);
}

void ActorProcess::finish()
{
    auto picture = picture_of(item_->model, item_->parameters, item_->item);
    proto::ItemDone done{item_->attempt_id,
                         item_->job_id,
                         item_->index,
                         "image/png",
                         base::sha256_hex(picture),
                         static_cast<std::uint64_t>(environment_.now() - begun_at_)};
    item_.reset();
    say(std::move(done), {proto::Blob::of(std::move(picture))});
}

void ActorProcess::fail(proto::FailureReason reason, std::string message)
{
    proto::ItemFailed failed{item_->attempt_id, item_->job_id, item_->index, reason, std::move(message)};
    item_.reset();
    say(std::move(failed));
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
