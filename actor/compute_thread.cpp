// SPDX-License-Identifier: Apache-2.0
#include "actor/compute_thread.hpp"

#include "base/sha256.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <boost/asio/post.hpp>

namespace sdfleet::actor {

namespace {

// The agent sends the next item when the one before is finished; a second one here is only the overlap of messages.
constexpr std::size_t max_waiting = 2;

proto::Packet failed(const proto::Assign& assign, Failure failure)
{
    return {
        {},
        proto::ItemFailed{assign.attempt_id, assign.job_id, assign.index, failure.reason, std::move(failure.message)},
        {}};
}

} // namespace

ComputeThread::ComputeThread(boost::asio::io_context& io, const Kinds& kinds, News news)
    : io_(io), kinds_(kinds), news_(std::make_shared<const News>(std::move(news))), thread_([this] { run(); })
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
        const auto is_it = [&](const proto::Assign& other) { return other.attempt_id == assign.attempt_id; };
        if ((current_ && current_->attempt_id == assign.attempt_id) || std::ranges::any_of(waiting_, is_it)) {
            return true; // said again after a reconnect
        }
        if (is_stopping_ || waiting_.size() >= max_waiting) {
            return false;
        }
        waiting_.push_back(std::move(assign));
    }
    changed_.notify_all(); // without the lock, for which the thread would only wait
    return true;
}

std::optional<proto::AttemptId> ComputeThread::under_way() const
{
    const std::scoped_lock lock(mutex_);
    if (current_) {
        return current_->attempt_id;
    }
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().attempt_id);
}

void ComputeThread::cancel(proto::AttemptId id)
{
    const std::scoped_lock lock(mutex_);
    if (current_ && current_->attempt_id == id) {
        current_->stop.request_stop();
        return;
    }
    const auto waiting = std::ranges::find(waiting_, id, &proto::Assign::attempt_id);
    if (waiting != waiting_.end()) {
        tell([packet = failed(*waiting, {proto::FailureReason::cancelled, "cancelled before it started"})](
                 const News& news) { news.on_finished(packet); });
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
        const auto assign = std::move(waiting_.front());
        waiting_.pop_front();
        current_ = Current{assign.attempt_id, {}};
        const auto cancelled = current_->stop.get_token();
        lock.unlock();
        work_on(assign, cancelled);
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

void ComputeThread::work_on(const proto::Assign& assign, const std::stop_token& cancelled)
{
    const WorkContext context{
        cancelled, [this, id = assign.attempt_id](std::uint32_t step, std::uint32_t steps) {
            tell([progress = proto::StepProgress{id, step, steps}](const News& news) { news.on_step(progress); });
        }};
    const auto start = std::chrono::steady_clock::now();
    auto outcome = handle(assign, context);
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    proto::Packet packet;
    if (outcome) {
        packet.message = proto::ItemDone{assign.attempt_id,
                                         assign.job_id,
                                         assign.index,
                                         std::move(outcome->media_type),
                                         base::sha256_hex(outcome->content.bytes),
                                         static_cast<std::uint64_t>(elapsed.count())};
        packet.blobs.push_back(std::move(outcome->content));
    } else {
        packet = failed(assign, std::move(outcome.error()));
    }
    tell([packet = std::move(packet)](const News& news) mutable { news.on_finished(std::move(packet)); });
}

Outcome ComputeThread::handle(const proto::Assign& assign, const WorkContext& context)
{
    const auto kind = kinds_.find(assign.parameters.kind_name());
    if (kind == kinds_.end()) {
        return tl::unexpected(Failure{proto::FailureReason::bad_request,
                                      std::string("this actor does no ") + assign.parameters.kind_name() + " work"});
    }
    try {
        return kind->second->handle(assign, context);
    } catch (const std::bad_alloc&) {
        return tl::unexpected(Failure{proto::FailureReason::out_of_memory, "out of memory"});
    } catch (const std::exception& error) {
        return tl::unexpected(Failure{proto::FailureReason::internal, error.what()});
    }
}

} // namespace sdfleet::actor
