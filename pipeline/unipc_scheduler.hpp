// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/multistep_scheduler.hpp"

#include <set>

namespace sdfleet::pipeline {

struct UniPcConfig {
    MultistepConfig multistep;
    bool predicts_original = true;            ///< solves for the picture; otherwise for the noise
    bool bh1 = false;                         ///< B(h) = h; otherwise exp(h) - 1
    std::set<std::int64_t> disable_corrector; ///< indices whose step is not corrected

    static base::Result<UniPcConfig> read(ConfigReader& reader);
};

/// UniPC, https://arxiv.org/abs/2302.04867, of order 1 to 3: a predictor, and a corrector that takes each step once more
/// when the model has said what it sees at its end.
class UniPcScheduler final : public MultistepScheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const UniPcConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;

private:
    UniPcScheduler(const UniPcConfig& config, const std::vector<double>& timesteps, const std::vector<double>& sigmas);

    /// The step from `from` to the next index, of `order`, out of the history. `output_there`: what the model sees at
    /// the step's end, for the corrector; undefined for the predictor.
    at::Tensor advance(const at::Tensor& sample, std::size_t from, int order, const at::Tensor& output_there) const;

    bool predicts_original_;
    bool bh1_;
    std::set<std::int64_t> disable_corrector_;
    at::Tensor last_sample_; ///< that the last step began with
    int last_order_ = 0;
};

} // namespace sdfleet::pipeline
