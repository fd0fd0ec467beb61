// SPDX-License-Identifier: Apache-2.0
#include "actor/echo_kind.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>

namespace sdfleet::actor {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t steps = 10;

std::string repeated(const std::string& text, std::size_t bytes)
{
    if (bytes == 0 || text.empty()) {
        return text;
    }
    std::string result;
    result.reserve(bytes + text.size());
    while (result.size() < bytes) {
        result += text;
    }
    result.resize(bytes);
    return result;
}

/// Each item has its own clock, which starts when it joins.
class EchoSession : public BatchSession {
public:
    explicit EchoSession(std::size_t max_batch) : max_batch_(max_batch) {}

    std::size_t room() const override { return max_batch_ - echoes_.size(); }
    tl::expected<void, Failure> join(const proto::Assign& assign, WorkContext context) override;
    std::vector<Ended> step() override;
    void leave(proto::AttemptId id) override;

private:
    struct Echo {
        Echo(EchoSession& session, const proto::Assign& an_assign, proto::EchoParameters its_parameters,
             WorkContext a_context)
            : assign(an_assign), parameters(its_parameters), context(std::move(a_context)), begun(Clock::now()),
              on_cancel(context.cancelled, [&session] {
                  const std::scoped_lock lock(session.mutex_);
                  session.cancelled_.notify_all();
              })
        {
        }

        proto::Assign assign;
        proto::EchoParameters parameters;
        WorkContext context;
        Clock::time_point begun;
        std::uint32_t step = 0; ///< taken
        std::stop_callback<std::function<void()>> on_cancel;

        Clock::time_point next_step_at() const
        {
            return begun + std::chrono::microseconds(parameters.delay_ms * std::uint64_t{1000} * (step + 1) / steps);
        }
        bool is_over() const { return parameters.delay_ms == 0 || step == steps; }
        Draft draft() const
        {
            return {"application/octet-stream",
                    proto::Blob::of(repeated(assign.item.prompt, parameters.result_bytes)),
                    0,
                    0,
                    {}};
        }
    };

    bool is_any_cancelled() const;

    std::size_t max_batch_;
    std::mutex mutex_; ///< of nothing but the waiting
    std::condition_variable cancelled_;
    std::list<Echo> echoes_; ///< which stay where they are
};

tl::expected<void, Failure> EchoSession::join(const proto::Assign& assign, WorkContext context)
{
    const auto* parameters = std::get_if<proto::EchoParameters>(&assign.parameters.kind);
    if (parameters == nullptr || parameters->result_bytes > proto::max_echo_bytes) {
        return tl::unexpected(Failure{proto::FailureReason::bad_request, "not an echo item"});
    }
    echoes_.emplace_back(*this, assign, *parameters, std::move(context));
    return {};
}

/// Up to the moment at which the first of the items is due.
std::vector<Ended> EchoSession::step()
{
    const auto due = std::ranges::min_element(echoes_, {}, &Echo::next_step_at)->next_step_at();
    {
        std::unique_lock lock(mutex_);
        if (cancelled_.wait_until(lock, due, [this] { return is_any_cancelled(); })) {
            return {};
        }
    }
    const auto now = Clock::now();
    std::vector<Ended> ended;
    for (auto echo = echoes_.begin(); echo != echoes_.end();) {
        if (echo->parameters.delay_ms > 0 && echo->next_step_at() <= now) {
            echo->context.report_step(++echo->step, steps);
        }
        if (echo->is_over()) {
            ended.push_back({echo->assign.attempt_id, echo->draft()});
            echo = echoes_.erase(echo);
        } else {
            ++echo;
        }
    }
    return ended;
}

void EchoSession::leave(proto::AttemptId id)
{
    std::erase_if(echoes_, [&](const Echo& echo) { return echo.assign.attempt_id == id; });
}

bool EchoSession::is_any_cancelled() const
{
    return std::ranges::any_of(echoes_, [](const Echo& echo) { return echo.context.cancelled.stop_requested(); });
}

} // namespace

/// The same steps as in a session, alone.
Outcome EchoKind::handle(const proto::Assign& assign, const WorkContext& context)
{
    EchoSession session(1);
    if (auto joined = session.join(assign, context); !joined) {
        return tl::unexpected(std::move(joined.error()));
    }
    while (!context.cancelled.stop_requested()) {
        if (auto ended = session.step(); !ended.empty()) {
            return std::move(ended.front().outcome).map([](Draft draft) {
                return Product{std::move(draft.media_type), std::move(draft.content)};
            });
        }
    }
    return tl::unexpected(Failure{proto::FailureReason::cancelled, "cancelled"});
}

tl::expected<std::unique_ptr<BatchSession>, Failure> EchoKind::open_session(const proto::Assign&)
{
    return std::make_unique<EchoSession>(max_batch_);
}

} // namespace sdfleet::actor
