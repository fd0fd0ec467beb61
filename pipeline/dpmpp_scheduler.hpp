// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/dpm_weights.hpp"
#include "pipeline/multistep_scheduler.hpp"

#include <optional>

namespace sdfleet::pipeline {

struct DpmppConfig {
    MultistepConfig multistep;
    DpmAlgorithm algorithm = DpmAlgorithm::dpmsolver_pp;
    bool heun = false; ///< the second order's kind; otherwise midpoint
    bool euler_at_final = false;
    bool lu_lambdas = false; ///< evenly spaced lambdas instead of timesteps
    std::optional<double> lambda_min_clipped;

    static base::Result<DpmppConfig> read(ConfigReader& reader);

    /// How many training timesteps are left when those with too small a lambda are cut off the end.
    std::int64_t used_timesteps() const;
};

/// Multi-step DPM-Solver and DPM-Solver++, https://arxiv.org/abs/2206.00927 and https://arxiv.org/abs/2211.01095, of
/// order 1 to 3.
class DpmppScheduler final : public MultistepScheduler {
public:
    static base::Result<std::unique_ptr<Scheduler>> make(const DpmppConfig& config, int steps);

    at::Tensor step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                    NoiseSource& noise) override;

private:
    DpmppScheduler(const DpmppConfig& config, const std::vector<double>& timesteps, const std::vector<double>& sigmas);
    int order_of(std::size_t index) const;
    at::Tensor converted(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const;

    DpmAlgorithm algorithm_;
    bool heun_;
    bool euler_at_final_;
};

} // namespace sdfleet::pipeline
