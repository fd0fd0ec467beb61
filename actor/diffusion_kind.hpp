// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/actor_kind.hpp"
#include "actor/actor_settings.hpp"
#include "actor/device_watch.hpp"
#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/picture_batch.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace sdfleet::actor {

/// Draws pictures. Keeps one model in memory, the one drawn with last.
class DiffusionKind : public ActorKind {
public:
    explicit DiffusionKind(const ActorSettings& settings)
        : settings_(settings), batch_options_{settings.max_batch, settings.batch_mode == BatchMode::fixed}
    {
    }

    /// Loads the first model, so that an actor that says it is ready is.
    base::Result<void> start() override;

    Outcome handle(const proto::Assign& assign, const WorkContext& context) override;
    DraftOutcome draw(const proto::Assign& assign, const WorkContext& context) override;
    Outcome finish(const Draft& draft) override;

    /// One in reference mode, which draws picture by picture.
    std::size_t max_batch() const override;
    std::string batch_key(const proto::Assign& assign) const override;
    tl::expected<std::unique_ptr<BatchSession>, Failure> open_session(const proto::Assign& first) override;

    /// An error of the GPU that outlives the call that caused it.
    std::optional<std::string> health() const override { return watch_.fault(); }

private:
    base::Result<void> load(const std::string& name);

    ActorSettings settings_;
    pipeline::BatchOptions batch_options_; ///< of a session; smaller than the settings' after a lack of memory
    DeviceWatch watch_;
    std::string loaded_name_;
    std::optional<pipeline::DiffusionPipeline> loaded_;
};

} // namespace sdfleet::actor
