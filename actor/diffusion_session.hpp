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
    /// All must outlive the object. `options`: halved where a batch of a fixed size does not fit into the device's memory;
    /// that holds for the sessions to come as well.
    DiffusionSession(const pipeline::DiffusionPipeline& model, pipeline::BatchOptions& options, DeviceWatch& watch);

    std::size_t room() const override { return options_.max_rows - items_.size(); }
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
    pipeline::BatchOptions& options_;
    pipeline::PictureBatch batch_;
    std::map<pipeline::PictureBatch::RowId, Item> items_;
};

} // namespace sdfleet::actor
