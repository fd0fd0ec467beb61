// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/sha256.hpp"
#include "proto/blob.hpp"
#include "proto/job_spec.hpp"

#include <string>

namespace sdfleet::sim {

/// What an actor draws: a function of the item and of what its job says, never of who draws it or when.
inline std::string picture_of(const std::string& model, const proto::Parameters& parameters,
                              const proto::ItemSpec& item)
{
    std::string text = model + "|" + item.prompt + "|" + std::to_string(item.seed);
    if (const auto* diffusion = std::get_if<proto::DiffusionParameters>(&parameters.kind)) {
        text += "|" + std::to_string(diffusion->num_inference_steps);
    }
    return text;
}

inline std::string text_of(const proto::Blob& blob)
{
    return {reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size()};
}

} // namespace sdfleet::sim
