// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/kind_registry.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>

#include <boost/asio/io_context.hpp>

namespace sdfleet::actor {

/// The thread that owns the device and does one item after the other, apart from the I/O, which so stays alive whatever
/// an item takes. Made, and called, on the io_context's thread, which is also where the news arrives.
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

    /// Asks the item under way to stop, and waits for it.
    ~ComputeThread();

    /// False when too much waits already. What is here already stays as it is.
    bool offer(proto::Assign assign);
    bool offer(proto::AssignGroup order);

    /// Of the group under way, or one that waits; does nothing for another.
    void abort_group(const proto::GroupAbort& abort);

    /// The item under way, or the one that is next.
    std::optional<proto::AttemptId> under_way() const;

    /// Of a waiting item or the one under way; does nothing for another.
    void cancel(proto::AttemptId id);

    /// Takes nothing more, asks the item under way to stop; true when the thread has ended by then.
    bool finish_within(std::chrono::milliseconds patience);

private:
    using Work = std::variant<proto::Assign, proto::AssignGroup>;
    struct Current {
        proto::AttemptId attempt_id; ///< 0 while it is a group
        proto::GroupId group;
        proto::Epoch epoch;
        std::stop_source stop;
    };

    void run();
    base::Result<void> start_kinds();
    void work_on(const proto::Assign& assign, const std::stop_token& cancelled);
    void work_on(const proto::AssignGroup& order, const std::stop_token& cancelled);
    WorkContext context_of(proto::AttemptId id, const std::stop_token& cancelled);
    Outcome handle(const proto::Assign& assign, const WorkContext& context);
    template <class Handler>
    void tell(Handler handler);

    boost::asio::io_context& io_;
    const Kinds& kinds_;
    const std::shared_ptr<const News> news_; ///< called on the I/O thread; may outlive this object there

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string agent_;
    std::deque<Work> waiting_;
    std::optional<Current> current_;
    bool is_stopping_ = false;
    bool has_ended_ = false;
    std::thread thread_; ///< last: everything above is there when it starts
};

} // namespace sdfleet::actor
