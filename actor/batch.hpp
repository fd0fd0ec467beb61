// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/batch_policy.hpp"
#include "actor/kind_registry.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace sdfleet::actor {

/// An item that the agent gave to this actor.
struct HeldItem {
    proto::Assign assign;
    std::string key; ///< of its batch
    BatchPolicy::Time since;
    std::stop_source stop; ///< asked to when it is cancelled
};

/// An item that the device is done with.
struct LeftItem {
    HeldItem item;
    DraftOutcome outcome;
    ActorKind* kind = nullptr; ///< that drew it and can finish it
    BatchPolicy::Time begun;
    std::size_t beside = 0; ///< others that took part in its last step
};

/// What the device is at: a kind's open session and the items in it. Whatever goes wrong is the outcome of items. For the
/// compute thread alone.
class Batch {
public:
    using ContextOf = std::function<WorkContext(proto::AttemptId, const std::stop_token&)>;

    /// `kinds` must outlive the object.
    Batch(const Kinds& kinds, ContextOf context_of) : kinds_(kinds), context_of_(std::move(context_of)) {}

    bool is_empty() const { return items_.empty(); }
    std::size_t size() const { return items_.size(); }
    const std::string& key() const { return key_; } ///< of the open session; empty = none

    /// For the policy. Nothing while it is empty.
    std::optional<BatchPolicy::OpenBatch> open() const;

    /// The item must have the batch's key, or the batch must be empty.
    void join(HeldItem item);

    /// Takes out what was cancelled, then one step of the rest.
    void step();

    /// Ends the session, which must be empty.
    void close();

    /// What left since the last call, in that order.
    std::vector<LeftItem> take_left() { return std::exchange(left_, {}); }

private:
    struct Member {
        HeldItem item;
        BatchPolicy::Time begun;
    };

    tl::expected<void, Failure> try_join(const HeldItem& item);
    void drop_cancelled();
    void end(std::size_t member, DraftOutcome outcome, std::size_t beside);

    const Kinds& kinds_;
    ContextOf context_of_;
    std::string key_;
    ActorKind* kind_ = nullptr;
    std::unique_ptr<BatchSession> session_;
    std::vector<Member> items_;
    std::vector<LeftItem> left_;
};

} // namespace sdfleet::actor
