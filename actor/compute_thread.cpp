// SPDX-License-Identifier: Apache-2.0
#include "actor/compute_thread.hpp"

#include "actor/group_work.hpp"
#include "actor/item_result.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace sdfleet::actor {

namespace {

// The agent sends the next item when the one before is finished; a second one here is only the overlap of messages.
constexpr std::size_t max_waiting = 2;

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
    {
        const std::scoped_lock lock(mutex_);
        const auto is_it = [&](const Work& work) {
            const auto* other = std::get_if<proto::Assign>(&work);
            return other != nullptr && other->attempt_id == assign.attempt_id;
        };
        if ((current_ && current_->attempt_id == assign.attempt_id) || std::ranges::any_of(waiting_, is_it)) {
            return true; // said again after a reconnect
        }
        if (is_stopping_ || waiting_.size() >= max_waiting) {
            return false;
        }
        waiting_.emplace_back(std::move(assign));
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
        if ((current_ && current_->group == order.group && current_->epoch == order.epoch) ||
            std::ranges::any_of(waiting_, is_it)) {
            return true;
        }
        if (is_stopping_ || waiting_.size() >= max_waiting) {
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
    if (current_ && current_->group == abort.group && current_->epoch == abort.epoch) {
        current_->stop.request_stop();
    }
}

std::optional<proto::AttemptId> ComputeThread::under_way() const
{
    const std::scoped_lock lock(mutex_);
    if (current_) {
        return current_->attempt_id.value != 0 ? std::optional(current_->attempt_id) : std::nullopt;
    }
    const auto* next = waiting_.empty() ? nullptr : std::get_if<proto::Assign>(&waiting_.front());
    return next == nullptr ? std::nullopt : std::optional(next->attempt_id);
}

void ComputeThread::cancel(proto::AttemptId id)
{
    const std::scoped_lock lock(mutex_);
    if (current_ && current_->attempt_id == id) {
        current_->stop.request_stop();
        return;
    }
    const auto waiting = std::ranges::find_if(waiting_, [&](const Work& work) {
        const auto* assign = std::get_if<proto::Assign>(&work);
        return assign != nullptr && assign->attempt_id == id;
    });
    if (waiting != waiting_.end()) {
        tell([packet = failed(std::get<proto::Assign>(*waiting),
                              {proto::FailureReason::cancelled, "cancelled before it started"})](const News& news) {
            news.on_finished(packet);
        });
        waiting_.erase(waiting);
    }
}

bool ComputeThread::finish_within(std::chrono::milliseconds patience)
{
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    waiting_.clear();
    if (current_) {
        current_->stop.request_stop();
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
    while (is_ready) {
        changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
            break;
        }
        const auto work = std::move(waiting_.front());
        waiting_.pop_front();
        if (const auto* assign = std::get_if<proto::Assign>(&work)) {
            current_ = Current{assign->attempt_id, {}, {}, {}};
        } else {
            const auto& order = std::get<proto::AssignGroup>(work);
            current_ = Current{{}, order.group, order.epoch, {}};
        }
        const auto cancelled = current_->stop.get_token();
        lock.unlock();
        std::visit([&](const auto& one) { work_on(one, cancelled); }, work);
        lock.lock();
        current_.reset();
    }
    has_ended_ = true;
    changed_.notify_all();
}

base::Result<void> ComputeThread::start_kinds()
{
    for (const auto& [name, kind] : kinds_) {
        if (auto started = kind->start(); !started) {
            return started;
        }
    }
    return {};
}

WorkContext ComputeThread::context_of(proto::AttemptId id, const std::stop_token& cancelled)
{
    return {cancelled, [this, id](std::uint32_t step, std::uint32_t steps) {
                tell([progress = proto::StepProgress{id, step, steps}](const News& news) { news.on_step(progress); });
            }};
}

void ComputeThread::work_on(const proto::AssignGroup& order, const std::stop_token& cancelled)
{
    const auto kind = kinds_.find(order.parameters.kind_name());
    GroupWork work(
        order, agent_, kind == kinds_.end() ? nullptr : kind->second.get(),
        {[this, &cancelled](proto::AttemptId id) { return context_of(id, cancelled); },
         [this](proto::Packet packet) {
             tell([packet = std::move(packet)](const News& news) mutable { news.on_finished(std::move(packet)); });
         },
         cancelled});
    work.run();
    tell([leave = proto::GroupLeave{order.group, order.epoch, order.rank}](const News& news) {
        if (news.on_group_left) {
            news.on_group_left(leave);
        }
    });
}

void ComputeThread::work_on(const proto::Assign& assign, const std::stop_token& cancelled)
{
    const auto context = context_of(assign.attempt_id, cancelled);
    const auto start = std::chrono::steady_clock::now();
    auto outcome = handle(assign, context);
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    auto packet = outcome ? done(assign, std::move(*outcome), elapsed) : failed(assign, std::move(outcome.error()));
    tell([packet = std::move(packet)](const News& news) mutable { news.on_finished(std::move(packet)); });
}

Outcome ComputeThread::handle(const proto::Assign& assign, const WorkContext& context)
{
    const auto kind = kinds_.find(assign.parameters.kind_name());
    if (kind == kinds_.end()) {
        return tl::unexpected(Failure{proto::FailureReason::bad_request,
                                      std::string("this actor does no ") + assign.parameters.kind_name() + " work"});
    }
    return guarded([&] { return kind->second->handle(assign, context); });
}

} // namespace sdfleet::actor
