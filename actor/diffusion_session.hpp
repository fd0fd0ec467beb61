// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/batch_session.hpp"
#include "actor/device_watch.hpp"
#include "pipeline/picture_batch.hpp"

#include <map>

namespace sdfleet::actor {

/// Pictures of one model and size that are drawn together, in fast mode.
class DiffusionSession final : public BatchSession {
public:
    /// `model` and `watch` must outlive the object.
    DiffusionSession(const pipeline::DiffusionPipeline& model, const pipeline::BatchOptions& options,
                     DeviceWatch& watch);

    std::size_t room() const override { return max_rows_ - items_.size(); }
    tl::expected<void, Failure> join(const proto::Assign& assign, WorkContext context) override;
    std::vector<Ended> step() override;
    void leave(proto::AttemptId id) override;

private:
    struct Item {
        proto::AttemptId attempt_id;
        WorkContext context;
    };

    const pipeline::DiffusionPipeline& model_;
    DeviceWatch& watch_;
    std::size_t max_rows_;
    pipeline::PictureBatch batch_;
    std::map<pipeline::PictureBatch::RowId, Item> items_;
};

} // namespace sdfleet::actor
