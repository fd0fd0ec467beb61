// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/sigma_scheduler.hpp"

namespace sdfleet::pipeline {

struct EulerAncestralConfig {
    NoiseSchedule schedule;

    static base::Result<EulerAncestralConfig> read(ConfigReader& reader);
};

/// Euler's method with ancestral sampling: each step goes further down than it should, then adds fresh noise.
class EulerAncestralScheduler final : public SigmaScheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const EulerAncestralConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;

private:
    EulerAncestralScheduler(const NoiseSchedule& schedule, int steps);
};

} // namespace sdfleet::pipeline
