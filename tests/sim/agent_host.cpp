// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/agent_host.hpp"

#include "tests/sim/description.hpp"
#include "tests/sim/violation.hpp"

#include <utility>

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t crash_per_million_steps = 200;
constexpr std::uint64_t corruption_per_million = 5'000;
constexpr Time operator_patience = 20'000; ///< with an actor that failed for good

} // namespace

AgentHost::AgentHost(Environment& environment, CoordinatorHost& coordinator, const NodePlan& plan, std::string name)
    : environment_(environment), coordinator_(coordinator), plan_(plan), name_(std::move(name)),
      link_(environment, name_)
{
    coordinator_.on_start([this] { reconnect(); });
}

std::string AgentHost::peer(proto::Channel channel) const
{
    return name_ + "." + std::to_string(connection_) + (channel == proto::Channel::bulk ? ".bulk" : ".control");
}

void AgentHost::start(std::uint64_t incarnation)
{
    incarnation_ = incarnation;
    ++life_;
    agent::Settings settings;
    settings.coordinator = "coordinator";
    settings.node_id = {plan_.name};
    settings.incarnation = {incarnation};
    settings.software = "simulated";
    settings.hostname = name_;
    for (const auto& model : plan_.models) {
        settings.models.push_back({model, "f00d"});
    }
    settings.actor_devices.assign(plan_.actors, "cpu");
    settings.limits = environment_.scenario.agent_limits;
    environment_.trace.note(environment_.now(), name_, incarnation,
                            [&] { return "STARTS, incarnation " + std::to_string(incarnation); });
    core_.emplace(std::move(settings));
    ranks_.emplace(environment_, environment_.ranks, name_ + "." + std::to_string(incarnation),
                   [this, life = life_](agent::Event event) {
                       if (life == life_) {
                           feed(std::move(event));
                       }
                   });
    has_failed_actor_ = false;
    fence_ = {};
    reconnect();
    feed(agent::Tick{});
}

void AgentHost::crash()
{
    if (core_) {
        end("CRASHES");
    }
}

void AgentHost::end(const std::string& why)
{
    environment_.trace.note(environment_.now(), name_, 0, [&] { return why; });
    core_.reset();
    armed_.reset();
    held_.clear();
    paused_until_ = 0;
    ++life_;
    coordinator_.disconnect(peer(proto::Channel::control));
    coordinator_.disconnect(peer(proto::Channel::bulk));
    for (const auto& [slot, process] : actors_) {
        process->vanish();
    }
    actors_.clear();
    ranks_->vanish();
    if (!is_retired_ && on_end_) {
        on_end_();
    }
}

void AgentHost::reconnect()
{
    coordinator_.disconnect(peer(proto::Channel::control));
    coordinator_.disconnect(peer(proto::Channel::bulk));
    ++connection_;
    for (const auto channel : {proto::Channel::control, proto::Channel::bulk}) {
        environment_.agenda.in(environment_.random.between(1, 300),
                               [this, channel, connection = connection_, life = life_] {
                                   if (core_ && life == life_ && connection == connection_ && coordinator_.is_up()) {
                                       connect(channel);
                                       feed(agent::LinkWritable{channel});
                                   }
                               });
    }
}

void AgentHost::connect(proto::Channel channel)
{
    coordinator_.connect(peer(channel), [this, channel, connection = connection_](const coordinator::Send& send) {
        link_.send(Direction::from_coordinator, channel, send.message, [this, channel, connection, send] {
            if (core_ && connection == connection_) {
                feed(agent::FromCoordinator{
                    channel, {{proto::protocol_version_max, {"cluster"}, 0, send.correlation}, send.message, {}}});
            }
        });
    });
}

void AgentHost::pause(Time until)
{
    environment_.trace.note(environment_.now(), name_, 1,
                            [&] { return "stands still until " + std::to_string(until); });
    paused_until_ = until;
    environment_.agenda.at(until, [this] {
        for (auto& event : std::exchange(held_, {})) {
            feed(std::move(event));
        }
    });
}

bool AgentHost::is_busy() const
{
    for (const auto& [slot, process] : actors_) {
        if (process->is_busy()) {
            return true;
        }
    }
    return core_ && ranks_->is_busy();
}

void AgentHost::feed(agent::Event event)
{
    if (!core_) {
        return;
    }
    if (environment_.now() < paused_until_) {
        held_.push_back(std::move(event));
        return;
    }
    fence_.hear(event);
    ranks_->hear(event);
    auto effects = core_->step(event, agent::Milliseconds(environment_.now()));
    for (const auto& effect : effects) {
        fence_.see(effect, environment_.now());
    }
    fence_.check(name_, environment_.now());
    std::size_t reached = effects.size();
    const bool crashes = environment_.faults.strikes(Fault::agent_crash, crash_per_million_steps);
    if (crashes) {
        reached = environment_.random.below(effects.size() + 1);
    }
    const auto life = life_;
    for (std::size_t i = 0; i < reached && life == life_; ++i) {
        std::visit([this](auto& body) { perform(body); }, effects[i]);
    }
    if (crashes) {
        crash();
    } else if (core_) {
        if (life == life_) { // its ranks were told to end by now, if they had to be
            environment_.ranks.check(name_ + "." + std::to_string(incarnation_), environment_.now());
        }
        arm();
    }
}

void AgentHost::arm()
{
    const auto deadline = core_->next_deadline();
    if (!deadline || (armed_ && *armed_ <= deadline->count())) {
        return;
    }
    armed_ = deadline->count();
    environment_.agenda.at(*armed_, [this, at = *armed_, life = life_] {
        if (core_ && life == life_ && armed_ == at) {
            armed_.reset();
            feed(agent::Tick{});
        }
    });
}

void AgentHost::perform(const agent::SpawnActor& spawn)
{
    const auto life = life_;
    require(!ranks_->has_rank_in(spawn.launch.slot), "I16", [&] {
        return name_ + " starts an actor in slot " + std::to_string(spawn.launch.slot.value) + ", where a rank is";
    });
    ActorProcess::Owner owner{
        [this, life](agent::Launch launch, proto::Message message, std::vector<proto::Blob> blobs) {
            if (life == life_) {
                feed(agent::FromActor{launch, {{}, std::move(message), std::move(blobs)}});
            }
        },
        [this, life](agent::Launch launch, std::optional<int> code, std::string how) {
            if (life == life_) {
                feed(agent::ActorExited{launch, code, std::move(how)});
            }
        }};
    auto process = std::make_shared<ActorProcess>(
        environment_, spawn.launch, name_ + "/" + std::to_string(spawn.launch.slot.value), plan_, std::move(owner));
    actors_[spawn.launch.slot.value] = process;
    process->start();
    environment_.agenda.in(1, [this, life, launch = spawn.launch] {
        if (life == life_) {
            feed(agent::ActorSpawned{launch, launch.number + 1'000 * launch.slot.value + 1});
        }
    });
}

void AgentHost::perform(const agent::KillActor& kill)
{
    const auto found = actors_.find(kill.launch.slot.value);
    if (found != actors_.end() && found->second->launch() == kill.launch) {
        found->second->die("was killed by SIGKILL");
    }
}

void AgentHost::perform(const agent::SpawnRank& spawn)
{
    ranks_->spawn(spawn, [this](proto::Slot slot) {
        const auto actor = actors_.find(slot.value);
        return actor != actors_.end() && actor->second->is_alive();
    });
}

void AgentHost::perform(agent::SendToCoordinator& send)
{
    if (const auto* update = std::get_if<proto::ActorUpdate>(&send.packet.message)) {
        watch(update->actor);
    } else if (const auto* heartbeat = std::get_if<proto::Heartbeat>(&send.packet.message)) {
        check(*heartbeat);
        for (const auto& actor : heartbeat->actors) {
            watch(actor);
        }
    }
    if (!send.packet.blobs.empty() && environment_.faults.strikes(Fault::corruption, corruption_per_million)) {
        send.packet.blobs = {proto::Blob::of("what the network made of it")};
    }
    link_.send(Direction::to_coordinator, send.channel, send.packet.message,
               [this, from = peer(send.channel), packet = send.packet] {
                   coordinator_.receive({{from},
                                         packet.envelope.cluster,
                                         packet.envelope.correlation,
                                         packet.message,
                                         packet.blobs,
                                         static_cast<std::uint64_t>(environment_.now())});
               });
}

/// What it has in hand is bounded, and with the mutation nobody needs to acknowledge it.
void AgentHost::check(const proto::Heartbeat& heartbeat)
{
    const auto& limits = environment_.scenario.agent_limits;
    require(heartbeat.attempts.size() <=
                plan_.actors * (plan_.max_batch + limits.staged_per_slot) + limits.results_kept,
            "I10", [&] { return name_ + " has " + std::to_string(heartbeat.attempts.size()) + " attempts in hand"; });
    if (environment_.mutation != Mutation::ignores_lease_loss) {
        return;
    }
    const proto::HeartbeatAck ack{heartbeat.sequence,
                                  static_cast<std::uint32_t>(environment_.scenario.options.lease.count)};
    environment_.agenda.in(0, [this, ack, life = life_] {
        if (life == life_ && environment_.now() >= paused_until_) {
            for (auto& effect : core_->step(agent::FromCoordinator{proto::Channel::control, {{}, ack, {}}},
                                            agent::Milliseconds(environment_.now()))) {
                std::visit([this](auto& body) { perform(body); }, effect);
            }
        }
    });
}

/// An operator starts an agent again whose actor has spent its restarts.
void AgentHost::watch(const proto::ActorState& state)
{
    if (state.phase != proto::ActorPhase::failed || has_failed_actor_) {
        return;
    }
    has_failed_actor_ = true;
    environment_.agenda.in(operator_patience, [this, life = life_] {
        if (life == life_) {
            end("is started again by an operator");
        }
    });
}

void AgentHost::perform(const agent::SendToActor& send)
{
    environment_.trace.note(
        environment_.now(), name_, static_cast<std::uint64_t>(proto::type_of(send.packet.message)),
        [&] { return "=> actor " + std::to_string(send.launch.slot.value) + " " + describe(send.packet.message); });
    const auto found = actors_.find(send.launch.slot.value);
    if (found == actors_.end() || found->second->launch() != send.launch) {
        return;
    }
    if (const auto* assign = std::get_if<proto::Assign>(&send.packet.message)) {
        const auto who = name_ + "." + std::to_string(incarnation_) + "/" + std::to_string(send.launch.slot.value);
        const auto& first = environment_.drawn_by.emplace(assign->attempt_id, who).first->second;
        require(first == who, "I3",
                [&] { return describe(assign->attempt_id) + " is drawn by " + first + " and " + who; });
    }
    found->second->send(send.packet.message);
}

void AgentHost::perform(const agent::Log& log)
{
    environment_.trace.note(environment_.now(), name_, log.text.size(), [&] { return "\"" + log.text + "\""; });
}

void AgentHost::perform(const agent::Exit& exit)
{
    end("ENDS: " + exit.reason);
}

} // namespace sdfleet::sim
