// SPDX-License-Identifier: Apache-2.0
#include "actor/compute_thread.hpp"

#include "actor/group_work.hpp"
#include "actor/item_result.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace sdfleet::actor {

namespace {

/// For so long items that fit the batch may pass one that does not.
constexpr std::chrono::milliseconds policy_patience{2'000};

constexpr std::size_t least_finishing_bound = 2;
constexpr std::size_t most_batch_limits = 64; ///< remembered

} // namespace

ComputeThread::ComputeThread(boost::asio::io_context& io, const Kinds& kinds, News news, std::string agent)
    : io_(io), kinds_(kinds), news_(std::make_shared<const News>(std::move(news))), agent_(std::move(agent)),
      thread_([this] { run(); })
{
}

ComputeThread::~ComputeThread()
{
    finish_within(std::chrono::milliseconds(0));
    thread_.join();
}

bool ComputeThread::offer(proto::Assign assign)
{
    auto key = key_of(assign);
    {
        const std::scoped_lock lock(mutex_);
        const auto is_it = [&](const Work& work) {
            const auto* other = std::get_if<HeldItem>(&work);
            return other != nullptr && other->assign.attempt_id == assign.attempt_id;
        };
        if (under_way_.contains(assign.attempt_id) || std::ranges::any_of(waiting_, is_it)) {
            return true; // said again after a reconnect
        }
        if (is_stopping_ || waiting_.size() > max_batch_) {
            return false;
        }
        waiting_.emplace_back(HeldItem{std::move(assign), std::move(key), BatchPolicy::Time::clock::now(), {}});
    }
    changed_.notify_all(); // without the lock, for which the thread would only wait
    return true;
}

bool ComputeThread::offer(proto::AssignGroup order)
{
    {
        const std::scoped_lock lock(mutex_);
        const auto is_it = [&](const Work& work) {
            const auto* other = std::get_if<proto::AssignGroup>(&work);
            return other != nullptr && other->group == order.group && other->epoch == order.epoch;
        };
        if ((group_ && group_->group == order.group && group_->epoch == order.epoch) ||
            std::ranges::any_of(waiting_, is_it)) {
            return true;
        }
        if (is_stopping_ || waiting_.size() > max_batch_) {
            return false;
        }
        waiting_.emplace_back(std::move(order));
    }
    changed_.notify_all();
    return true;
}

/// A group that still waits is aborted when its turn comes, which is at once.
void ComputeThread::abort_group(const proto::GroupAbort& abort)
{
    const std::scoped_lock lock(mutex_);
    if (group_ && group_->group == abort.group && group_->epoch == abort.epoch) {
        group_->stop.request_stop();
    }
}

std::vector<proto::AttemptId> ComputeThread::under_way() const
{
    const std::scoped_lock lock(mutex_);
    std::vector<proto::AttemptId> ids;
    for (const auto& [id, stop] : under_way_) {
        ids.push_back(id);
    }
    const auto* next = waiting_.empty() ? nullptr : std::get_if<HeldItem>(&waiting_.front());
    if (ids.empty() && !group_ && next != nullptr) {
        ids.push_back(next->assign.attempt_id);
    }
    return ids;
}

void ComputeThread::cancel(proto::AttemptId id)
{
    const std::scoped_lock lock(mutex_);
    if (const auto current = under_way_.find(id); current != under_way_.end()) {
        current->second.request_stop();
        return;
    }
    const auto waiting = std::ranges::find_if(waiting_, [&](const Work& work) {
        const auto* item = std::get_if<HeldItem>(&work);
        return item != nullptr && item->assign.attempt_id == id;
    });
    if (waiting != waiting_.end()) {
        tell([packet = failed(std::get<HeldItem>(*waiting).assign,
                              {proto::FailureReason::cancelled, "cancelled before it started"})](const News& news) {
            news.on_finished(packet);
        });
        waiting_.erase(waiting);
    }
}

std::size_t ComputeThread::max_batch() const
{
    const std::scoped_lock lock(mutex_);
    return max_batch_;
}

bool ComputeThread::finish_within(std::chrono::milliseconds patience)
{
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    waiting_.clear();
    for (auto& [id, stop] : under_way_) {
        stop.request_stop();
    }
    if (group_) {
        group_->stop.request_stop();
    }
    changed_.notify_all();
    return changed_.wait_for(lock, patience, [this] { return has_ended_; });
}

template <class Handler>
void ComputeThread::tell(Handler handler)
{
    boost::asio::post(io_, [news = news_, handler = std::move(handler)]() mutable { handler(*news); });
}

void ComputeThread::run()
{
    auto ready = start_kinds();
    const bool is_ready = ready.has_value();
    tell([ready = std::move(ready)](const News& news) { news.on_ready(ready); });
    std::unique_lock lock(mutex_);
    if (is_ready) {
        work(lock);
    }
    has_ended_ = true;
    changed_.notify_all();
}

base::Result<void> ComputeThread::start_kinds()
{
    std::size_t max_batch = 1;
    for (const auto& [name, kind] : kinds_) {
        if (auto started = kind->start(); !started) {
            return started;
        }
        max_batch = std::max(max_batch, kind->max_batch());
    }
    const std::scoped_lock lock(mutex_);
    max_batch_ = std::min<std::size_t>(max_batch, proto::max_batch_limit);
    return {};
}

/// Holds the lock but while it draws.
void ComputeThread::work(std::unique_lock<std::mutex>& lock)
{
    Batch batch(kinds_, [this](proto::AttemptId id, const auto& cancelled) { return context_of(id, cancelled); });
    std::optional<FinishingThread> finishing;
    finishing.emplace(std::max(max_batch_, least_finishing_bound),
                      [this](proto::AttemptId id, proto::Packet packet) { tell_finished(id, std::move(packet)); });
    while (!is_stopping_) {
        if (batch.is_empty() && !waits(batch.key())) {
            lock.unlock();
            batch.close();
            lock.lock();
        }
        changed_.wait(lock, [&] { return is_stopping_ || !waiting_.empty() || !batch.is_empty(); });
        if (is_stopping_) {
            break;
        }
        auto joining = take_joining(batch);
        lock.unlock();
        draw(std::move(joining), batch, *finishing);
        lock.lock();
    }
    lock.unlock();
    finishing.reset();
    lock.lock();
}

/// A group comes alone, and while the batch is empty.
std::vector<ComputeThread::Work> ComputeThread::take_joining(const Batch& batch)
{
    std::vector<BatchPolicy::Waiting> waiting;
    for (const auto& work : waiting_) {
        const auto* item = std::get_if<HeldItem>(&work);
        waiting.push_back(item == nullptr ? BatchPolicy::Waiting{} : BatchPolicy::Waiting{item->key, item->since});
    }
    const BatchPolicy policy(policy_patience);
    const auto indices = policy.joiners(open_batch(batch), waiting, BatchPolicy::Time::clock::now());
    std::vector<Work> joining;
    for (const auto index : indices) {
        auto& work = joining.emplace_back(std::move(waiting_[index]));
        if (const auto* item = std::get_if<HeldItem>(&work)) {
            under_way_.emplace(item->assign.attempt_id, item->stop);
        } else {
            const auto& order = std::get<proto::AssignGroup>(work);
            group_ = CurrentGroup{order.group, order.epoch, {}};
        }
    }
    for (auto index = indices.rbegin(); index != indices.rend(); ++index) {
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(*index));
    }
    return joining;
}

std::optional<BatchPolicy::OpenBatch> ComputeThread::open_batch(const Batch& batch) const
{
    auto open = batch.open();
    if (open) {
        if (const auto limit = batch_limits_.find(open->key); limit != batch_limits_.end()) {
            open->room = std::min(open->room, limit->second - std::min(limit->second, batch.size()));
        }
    }
    return open;
}

void ComputeThread::draw(std::vector<Work> joining, Batch& batch, FinishingThread& finishing)
{
    for (auto& work : joining) {
        if (auto* item = std::get_if<HeldItem>(&work)) {
            batch.join(std::move(*item));
        } else {
            batch.close();
            work_on(std::get<proto::AssignGroup>(work), group_->stop.get_token());
            const std::scoped_lock lock(mutex_);
            group_.reset();
        }
    }
    batch.step();
    for (auto& left : batch.take_left()) {
        const auto& assign = left.item.assign;
        if (left.outcome) {
            finishing.push(std::move(left));
        } else if (!draw_again(left)) {
            tell_finished(assign.attempt_id, failed(assign, std::move(left.outcome.error())));
        }
    }
}

/// Items that together were too large for the device's memory are drawn again, in batches half as large. What becomes of
/// an item does not depend on it.
bool ComputeThread::draw_again(LeftItem& left)
{
    if (left.outcome.error().reason != proto::FailureReason::out_of_memory || left.beside == 0) {
        return false;
    }
    const std::scoped_lock lock(mutex_);
    if (is_stopping_) {
        return false;
    }
    if (batch_limits_.size() >= most_batch_limits) {
        batch_limits_.clear();
    }
    batch_limits_[left.item.key] = (left.beside + 1) / 2;
    under_way_.erase(left.item.assign.attempt_id);
    waiting_.push_front(std::move(left.item));
    return true;
}

/// What is given up because this actor stops is not the fleet's to know: the agent knows it from the actor's end.
void ComputeThread::tell_finished(proto::AttemptId id, proto::Packet packet)
{
    const bool is_failure = std::holds_alternative<proto::ItemFailed>(packet.message);
    const std::scoped_lock lock(mutex_);
    if (!is_stopping_ || !is_failure) {
        tell([packet = std::move(packet)](const News& news) mutable { news.on_finished(std::move(packet)); });
    }
    under_way_.erase(id);
}

bool ComputeThread::waits(const std::string& key) const
{
    return std::ranges::any_of(waiting_, [&](const Work& work) {
        const auto* item = std::get_if<HeldItem>(&work);
        return item != nullptr && item->key == key;
    });
}

/// An item that no kind can do has a key of its own kind's name, and fails when its turn comes.
std::string ComputeThread::key_of(const proto::Assign& assign) const
{
    const auto kind = kinds_.find(assign.parameters.kind_name());
    return kind == kinds_.end() ? assign.parameters.kind_name() : kind->second->batch_key(assign);
}

WorkContext ComputeThread::context_of(proto::AttemptId id, const std::stop_token& cancelled)
{
    return {cancelled, [this, id](std::uint32_t step, std::uint32_t steps) {
                tell([progress = proto::StepProgress{id, step, steps}](const News& news) { news.on_step(progress); });
            }};
}

void ComputeThread::work_on(const proto::AssignGroup& order, const std::stop_token& aborted)
{
    const auto kind = kinds_.find(order.parameters.kind_name());
    GroupWork work(
        order, agent_, kind == kinds_.end() ? nullptr : kind->second.get(),
        {[this, &aborted](proto::AttemptId id) { return context_of(id, aborted); },
         [this](proto::Packet packet) {
             tell([packet = std::move(packet)](const News& news) mutable { news.on_finished(std::move(packet)); });
         },
         aborted});
    work.run();
    tell([leave = proto::GroupLeave{order.group, order.epoch, order.rank}](const News& news) {
        if (news.on_group_left) {
            news.on_group_left(leave);
        }
    });
}

} // namespace sdfleet::actor
