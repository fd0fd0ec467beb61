// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/batch.hpp"
#include "actor/batch_policy.hpp"
#include "actor/finishing_thread.hpp"
#include "actor/kind_registry.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace sdfleet::actor {

/// The thread that owns the device, apart from the I/O, which so stays alive whatever an item takes. It draws a batch of
/// items at a time, step by step; between two steps items leave, and others join (BatchPolicy). What is drawn is encoded on
/// a thread of its own. Made, and called, on the io_context's thread, which is also where the news arrives.
class ComputeThread {
public:
    struct News {
        std::function<void(base::Result<void>)> on_ready; ///< all kinds have started, or one could not
        std::function<void(proto::StepProgress)> on_step;
        /// ItemDone with its artifact, or ItemFailed.
        std::function<void(proto::Packet)> on_finished;
        /// The part in the group is over: all its items that are to be answered for from here were.
        std::function<void(proto::GroupLeave)> on_group_left = {};
    };

    /// Starts the kinds at once, in the order of their names. `kinds` must outlive the object.
    /// `agent` is where the ranks of a group find each other.
    ComputeThread(boost::asio::io_context& io, const Kinds& kinds, News news, std::string agent = {});

    /// Asks the items under way to stop, and waits for them.
    ~ComputeThread();

    /// False when too much waits already. What is here already stays as it is.
    bool offer(proto::Assign assign);
    bool offer(proto::AssignGroup order);

    /// Of the group under way, or one that waits; does nothing for another.
    void abort_group(const proto::GroupAbort& abort);

    /// The items under way, or the one that is next.
    std::vector<proto::AttemptId> under_way() const;

    /// Of a waiting item or one under way; does nothing for another.
    void cancel(proto::AttemptId id);

    /// What the kinds can draw at once; known when they have started.
    std::size_t max_batch() const;

    /// Takes nothing more, asks the items under way to stop, finishes those that are drawn; of the others no more is heard.
    /// True when the thread has ended by then.
    bool finish_within(std::chrono::milliseconds patience);

private:
    using Work = std::variant<HeldItem, proto::AssignGroup>;
    struct CurrentGroup {
        proto::GroupId group;
        proto::Epoch epoch;
        std::stop_source stop;
    };

    void run();
    base::Result<void> start_kinds();
    void work(std::unique_lock<std::mutex>& lock);
    std::vector<Work> take_joining(const Batch& batch);
    std::optional<BatchPolicy::OpenBatch> open_batch(const Batch& batch) const;
    void draw(std::vector<Work> joining, Batch& batch, FinishingThread& finishing);
    bool draw_again(LeftItem& left);
    void work_on(const proto::AssignGroup& order, const std::stop_token& aborted);
    bool waits(const std::string& key) const;
    std::string key_of(const proto::Assign& assign) const;
    WorkContext context_of(proto::AttemptId id, const std::stop_token& cancelled);
    void tell_finished(proto::AttemptId id, proto::Packet packet);
    template <class Handler>
    void tell(Handler handler);

    boost::asio::io_context& io_;
    const Kinds& kinds_;
    const std::shared_ptr<const News> news_; ///< called on the I/O thread; may outlive this object there
    const std::string agent_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t max_batch_ = 1;
    std::deque<Work> waiting_;                               ///< at most one more than the batch can be
    std::map<proto::AttemptId, std::stop_source> under_way_; ///< in the batch, or drawn and not encoded yet
    std::map<std::string, std::size_t> batch_limits_;        ///< by key: of what was too large for the device's memory
    std::optional<CurrentGroup> group_;
    bool is_stopping_ = false;
    bool has_ended_ = false;
    std::thread thread_; ///< last: everything above is there when it starts
};

} // namespace sdfleet::actor
