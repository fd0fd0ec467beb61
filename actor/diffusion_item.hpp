// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "actor/work.hpp"
#include "pipeline/diffusion_pipeline.hpp"
#include "proto/packet.hpp"

namespace sdfleet::actor {

/// The one picture of an item, as the pipeline is asked for it.
pipeline::GenerateRequest to_request(const proto::DiffusionParameters& parameters, const proto::ItemSpec& item);

/// A pipeline's error, as the wire names it.
Failure to_failure(const base::Error& error);

/// A drawn picture on its way to be encoded.
Draft to_draft(pipeline::Picture&& picture);

} // namespace sdfleet::actor
