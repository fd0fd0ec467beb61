// SPDX-License-Identifier: Apache-2.0
#include "actor/actor_kind.hpp"

#include <optional>

namespace sdfleet::actor {

namespace {

/// Of a kind that draws one item after the other.
class OneItem : public BatchSession {
public:
    explicit OneItem(ActorKind& kind) : kind_(kind) {}

    std::size_t room() const override { return item_ ? 0 : 1; }

    tl::expected<void, Failure> join(const proto::Assign& assign, WorkContext context) override
    {
        item_.emplace(Item{assign, std::move(context)});
        return {};
    }

    std::vector<Ended> step() override
    {
        const auto item = std::exchange(item_, std::nullopt);
        std::vector<Ended> ended;
        ended.push_back({item->assign.attempt_id, kind_.draw(item->assign, item->context)});
        return ended;
    }

    void leave(proto::AttemptId) override { item_.reset(); }

private:
    struct Item {
        proto::Assign assign;
        WorkContext context;
    };

    ActorKind& kind_;
    std::optional<Item> item_;
};

} // namespace

tl::expected<std::unique_ptr<BatchSession>, Failure> ActorKind::open_session(const proto::Assign&)
{
    return std::make_unique<OneItem>(*this);
}

} // namespace sdfleet::actor
