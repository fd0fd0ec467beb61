// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/rank_process.hpp"

#include "tests/sim/violation.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::sim {

namespace {

constexpr std::uint64_t death_per_million_words = 3'000;
constexpr std::size_t pipe_bytes = 64 * 1024;
constexpr std::size_t read_bytes = 32 * 1024;
constexpr std::uint32_t sigkill = 9;
constexpr std::uint32_t sigsegv = 11;
constexpr std::uint32_t sigterm = 15;

std::uint32_t number_in(const agent::SpawnRank& spawn, const std::string& variable)
{
    const auto found = std::ranges::find(spawn.environment, variable, &std::pair<std::string, std::string>::first);
    return static_cast<std::uint32_t>(std::stoul(found->second));
}

} // namespace

RankProcess::RankProcess(Environment& environment, agent::SpawnRank spawn, std::string name, Happens happens)
    : environment_(environment), spawn_(std::move(spawn)), plan_(plan_of(spawn_.command)), name_(std::move(name)),
      happens_(std::move(happens))
{
}

void RankProcess::later(Time delay, void (RankProcess::*what)())
{
    environment_.agenda.in(delay, [self = shared_from_this(), what] {
        if (self->is_alive_) {
            (self.get()->*what)();
        }
    });
}

void RankProcess::say(agent::Event event)
{
    environment_.agenda.in(environment_.random.between(0, 1), [self = shared_from_this(), event = std::move(event)] {
        if (self->happens_) {
            self->happens_(event);
        }
    });
}

void RankProcess::start()
{
    const auto world_size = number_in(spawn_, "WORLD_SIZE");
    require(number_in(spawn_, "RANK") == spawn_.rank.value && spawn_.rank.value < world_size &&
                number_in(spawn_, "SDFLEET_EPOCH") == spawn_.run.epoch.value && number_in(spawn_, "MASTER_PORT") > 0,
            "I16", [&] { return name_ + " has a wrong environment"; });
    const proto::GroupMember member{spawn_.rank, "host", {"tcp://10.0.0.1:4000"}, "key"};
    say(agent::FromRank{
        name_,
        {{},
         proto::GroupJoin{{spawn_.run.program_id.value + "/default"}, spawn_.run.epoch, world_size, 5'000, member},
         {}}});
    later(plan_.run_ms / (plan_.words + 1), &RankProcess::write);
}

/// Waits while the pipe is full, as a real one would.
void RankProcess::write()
{
    if (written_ >= plan_.words) {
        finish();
        return;
    }
    if (environment_.faults.strikes(Fault::rank_death, death_per_million_words)) {
        die({0, sigsegv, "was killed by SIGSEGV"});
        return;
    }
    if (pipe_.size() + word_bytes <= pipe_bytes) {
        pipe_ += word_of(spawn_.run.epoch.value, spawn_.rank.value, written_++);
        answer_reader();
    }
    later(plan_.run_ms / (plan_.words + 1) + 1, &RankProcess::write);
}

void RankProcess::finish()
{
    const bool fails = spawn_.rank.value == plan_.failing_rank && spawn_.run.epoch.value <= plan_.failing_epochs;
    die({fails ? 3U : 0U, 0, fails ? "exited with code 3" : ""});
}

void RankProcess::end(agent::Ending ending)
{
    if (!is_alive_ || is_doomed_) {
        return;
    }
    if (ending == agent::Ending::ask) {
        if (!plan_.is_deaf) {
            environment_.agenda.in(environment_.random.between(1, 400), [self = shared_from_this()] {
                self->die({0, sigterm, "was killed by SIGTERM"});
            });
        }
        return;
    }
    is_doomed_ = true;
    environment_.agenda.in(environment_.random.between(1, 20), [self = shared_from_this()] {
        self->die({0, sigkill, "was killed by SIGKILL"});
    });
}

void RankProcess::vanish()
{
    happens_ = nullptr;
    end(agent::Ending::kill);
}

void RankProcess::die(proto::RankExit exit)
{
    if (!is_alive_) {
        return;
    }
    is_alive_ = false;
    environment_.trace.note(environment_.now(), name_, spawn_.run.epoch.value,
                            [&] { return "ends: code " + std::to_string(exit.code) + " " + exit.detail; });
    say(agent::RankEnded{spawn_.run, spawn_.rank, std::move(exit)});
    answer_reader();
}

void RankProcess::read(proto::OutputStream stream)
{
    auto& is_waiting = stream == proto::OutputStream::out ? is_read_ : is_err_read_;
    require(!is_waiting, "I16", [&] { return name_ + " is read twice at a time"; });
    is_waiting = true;
    answer_reader();
}

void RankProcess::answer_reader()
{
    if (is_read_ && (!pipe_.empty() || !is_alive_)) {
        is_read_ = false;
        is_out_closed_ = pipe_.empty();
        auto bytes = pipe_.substr(0, read_bytes);
        pipe_.erase(0, bytes.size());
        say(agent::RankWrote{spawn_.run, spawn_.rank, proto::OutputStream::out, std::move(bytes)});
    }
    if (is_err_read_ && !is_alive_) {
        is_err_read_ = false;
        is_err_closed_ = true;
        say(agent::RankWrote{spawn_.run, spawn_.rank, proto::OutputStream::err, ""});
    }
}

void RankProcess::hear(const proto::Message& message)
{
    if (const auto* formed = std::get_if<proto::GroupFormed>(&message)) {
        require(formed->epoch == spawn_.run.epoch && formed->members.size() == number_in(spawn_, "WORLD_SIZE"), "I16",
                [&] { return name_ + " is told of a group that is not its own"; });
    }
}

} // namespace sdfleet::sim
