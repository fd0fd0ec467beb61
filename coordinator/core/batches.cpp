// SPDX-License-Identifier: Apache-2.0
// The core's part that decides what one actor draws at once. Which items really share a step is the actor's business; here
// it is judged by their batch keys.
#include "coordinator/core/core.hpp"

#include <algorithm>

namespace sdfleet::coordinator {

namespace {

constexpr std::size_t jobs_looked_at = 32; ///< in search of one whose items fit a batch

} // namespace

/// Of the attempts in flight: the first ones, as far as they fit the very first. The others wait behind them.
std::size_t Core::count_batched(const Actor& actor) const
{
    if (actor.in_flight.size() < 2 || actor.state.max_batch < 2) {
        return std::min<std::size_t>(actor.in_flight.size(), 1);
    }
    const Attempt& first = attempts_.at(actor.in_flight.front());
    const auto fits = [&](proto::AttemptId id) {
        const Attempt& other = attempts_.at(id);
        return !first.is_alone && !other.is_alone &&
               (first.batch_key == other.batch_key || *first.batch_key == *other.batch_key);
    };
    const auto end = std::find_if_not(actor.in_flight.begin() + 1, actor.in_flight.end(), fits);
    return std::min<std::size_t>(static_cast<std::size_t>(end - actor.in_flight.begin()), actor.state.max_batch);
}

/// Whether an item that fits would be drawn at once.
bool Core::has_open_batch(const Actor& actor) const
{
    return actor.in_flight.empty() ||
           (actor.in_flight.size() == actor.batched && actor.batched < actor.state.max_batch &&
            !attempts_.at(actor.in_flight.front()).is_alone);
}

/// The lower, the sooner an item would be done there: 0 = idle, then the size of the batch that it would join, and last
/// staged_level, where it would wait.
std::size_t Core::level_of(const Actor& actor) const
{
    return has_open_batch(actor) ? actor.in_flight.size() : staged_level;
}

bool Core::waits(const Attempt& attempt) const
{
    const Actor& actor = *fleet_.find(attempt.actor);
    const auto place = std::ranges::find(actor.in_flight, attempt.id) - actor.in_flight.begin();
    return static_cast<std::size_t>(place) >= actor.batched;
}

/// When an actor dies, any of the items that it had may be the cause. Before one more death would condemn an item it is
/// tried with nothing beside it, so that nothing is condemned for what its neighbours did.
bool Core::needs_own_actor(const Item& item) const
{
    return item.deaths > 0 && item.deaths + 1U >= options_.deaths_per_item;
}

bool Core::fits_batch(const Node& node, const Actor& actor, const Job& job) const
{
    const auto& key = attempts_.at(actor.in_flight.front()).batch_key;
    const auto index = job.next_for({node.id, actor.state.slot});
    return index && (key == job.batch_key() || *key == *job.batch_key()) && !needs_own_actor(job.item(*index));
}

/// A job whose next item fits what the actor draws. Such a job may run ahead of its turn as one of the loaded model may:
/// up to `model_stay`, and never ahead of a higher priority. What has its turn is staged behind the batch.
Job* Core::choose_mate(const Node& node, const Actor& actor)
{
    Job* best = choose_job(node, actor);
    if (best == nullptr || fits_batch(node, actor, *best)) {
        return best;
    }
    const auto turns = jobs_.ready().by_model().find(actor.model);
    if (turns == jobs_.ready().by_model().end() || !node.serves(actor.model)) {
        return nullptr;
    }
    const auto stay = static_cast<std::uint64_t>(options_.model_stay.count);
    std::size_t looked_at = 0;
    for (const auto& turn : turns->second) {
        if (++looked_at > jobs_looked_at || turn.urgency != best->turn().urgency ||
            turn.service >= best->service + stay) {
            break;
        }
        if (Job& job = jobs_.at(turn.number); fits_batch(node, actor, job)) {
            return &job;
        }
    }
    return nullptr;
}

/// Until a staged attempt can begin: one that fits the batch when the first of it ends, another when all have.
std::optional<double> Core::ms_before_staged(const Attempt& staged) const
{
    const Actor& actor = *fleet_.find(staged.actor);
    const bool fits = !staged.is_alone && *attempts_.at(actor.in_flight.front()).batch_key == *staged.batch_key;
    std::optional<double> before;
    for (std::size_t i = 0; i < actor.batched; ++i) {
        const auto remaining = remaining_ms(attempts_.at(actor.in_flight[i]));
        if (!remaining) {
            return std::nullopt;
        }
        before = !before ? *remaining : (fits ? std::min(*before, *remaining) : std::max(*before, *remaining));
    }
    return before;
}

} // namespace sdfleet::coordinator
