// SPDX-License-Identifier: Apache-2.0
#include "actor/diffusion_session.hpp"

#include "actor/diffusion_item.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::actor {

using proto::FailureReason;

DiffusionSession::DiffusionSession(const pipeline::DiffusionPipeline& model, pipeline::BatchOptions& options,
                                   DeviceWatch& watch)
    : model_(model), watch_(watch), options_(options), batch_(model, options)
{
}

tl::expected<void, Failure> DiffusionSession::join(const proto::Assign& assign, WorkContext context)
{
    const auto* parameters = std::get_if<proto::DiffusionParameters>(&assign.parameters.kind);
    if (parameters == nullptr) {
        return tl::unexpected(Failure{FailureReason::bad_request, "not a picture to draw"});
    }
    const auto request = to_request(*parameters, assign.item);
    if (auto fine = model_.check(request); !fine) {
        return tl::unexpected(watch_.note(to_failure(fine.error())));
    }
    if (!batch_.takes(batch_.key_of(request))) {
        return tl::unexpected(Failure{FailureReason::internal, "the picture does not fit into the batch under way"});
    }
    const auto row = batch_.join(request);
    if (!row) {
        return tl::unexpected(watch_.note(to_failure(row.error())));
    }
    items_.emplace(*row, Item{assign.attempt_id, std::move(context)});
    return {};
}

std::vector<Ended> DiffusionSession::step()
{
    auto advance = batch_.step();
    for (const auto& [row, step, steps] : advance.progress) {
        items_.at(row).context.report_step(static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(steps));
    }
    std::vector<Ended> ended;
    for (auto& [row, picture] : advance.ended) {
        const auto item = items_.extract(row);
        ended.push_back({item.mapped().attempt_id, picture ? DraftOutcome(to_draft(std::move(*picture)))
                                                           : tl::unexpected(watch_.note(to_failure(picture.error())))});
    }
    const bool too_large = std::ranges::any_of(ended, [](const Ended& item) {
        return !item.outcome && item.outcome.error().reason == FailureReason::out_of_memory;
    });
    if (too_large && options_.fixed && options_.max_rows > 1 && items_.empty()) {
        // Its calls are made for all rows, however few are used: the next ones are made for half as many.
        options_.max_rows = (options_.max_rows + 1) / 2;
        batch_ = pipeline::PictureBatch(model_, options_);
    }
    return ended;
}

void DiffusionSession::leave(proto::AttemptId id)
{
    const auto item = std::ranges::find_if(items_, [id](const auto& entry) { return entry.second.attempt_id == id; });
    if (item != items_.end()) {
        batch_.leave(item->first);
        items_.erase(item);
    }
}

} // namespace sdfleet::actor
