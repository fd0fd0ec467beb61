// SPDX-License-Identifier: Apache-2.0
#include "pipeline/dpmpp_scheduler.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

bool solves_for_noise(DpmAlgorithm algorithm)
{
    return algorithm == DpmAlgorithm::dpmsolver || algorithm == DpmAlgorithm::sde_dpmsolver;
}

DpmAlgorithm read_algorithm(ConfigReader& reader)
{
    // deis: another class's, which this one takes for its own default
    const auto name = reader.choice("algorithm_type", "dpmsolver++",
                                    {"dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver", "deis"});
    return name == "dpmsolver"         ? DpmAlgorithm::dpmsolver
           : name == "sde-dpmsolver"   ? DpmAlgorithm::sde_dpmsolver
           : name == "sde-dpmsolver++" ? DpmAlgorithm::sde_dpmsolver_pp
                                       : DpmAlgorithm::dpmsolver_pp;
}

} // namespace

base::Result<DpmppConfig> DpmppConfig::read(ConfigReader& reader)
{
    DpmppConfig config;
    config.multistep = MultistepConfig::read(reader);
    config.algorithm = read_algorithm(reader);
    // The last three are other classes' and mean midpoint here.
    config.heun = reader.choice("solver_type", "midpoint", {"midpoint", "heun", "logrho", "bh1", "bh2"}) == "heun";
    config.euler_at_final = reader.boolean("euler_at_final", false);
    config.lu_lambdas = reader.boolean("use_lu_lambdas", false) &&
                        config.multistep.sigmas.spacing != SigmaSpacing::karras; // karras wins
    // Minus infinity, the default, is no number in JSON.
    if (reader.json().value("lambda_min_clipped", nlohmann::json()) != "-Infinity") {
        config.lambda_min_clipped = reader.optional_number("lambda_min_clipped");
    }
    if (const auto variance = reader.text("variance_type", ""); variance.starts_with("learned")) {
        reader.problem("'variance_type' is '" + variance + "', which this version does not support");
    }
    if (solves_for_noise(config.algorithm) && config.multistep.sigmas.ends_at_zero) {
        reader.problem("'algorithm_type' dpmsolver or sde-dpmsolver needs 'final_sigmas_type' sigma_min");
    }
    if (config.algorithm == DpmAlgorithm::sde_dpmsolver && config.multistep.solver_order == 3) {
        reader.problem("'algorithm_type' sde-dpmsolver has no 'solver_order' 3");
    }
    if (config.used_timesteps() == 0) {
        reader.problem("'lambda_min_clipped' leaves no timestep");
    }
    return reader.finish_tolerantly().map([&] { return config; });
}

std::int64_t DpmppConfig::used_timesteps() const
{
    const std::vector<float>& alphas = multistep.schedule.alphas_cumprod;
    const auto too_small = [&](float alpha) {
        const float lambda = std::log(std::sqrt(alpha)) - std::log(std::sqrt(1.0F - alpha));
        return lambda_min_clipped && lambda < static_cast<float>(*lambda_min_clipped);
    };
    return std::find_if(alphas.begin(), alphas.end(), too_small) - alphas.begin();
}

base::Result<std::unique_ptr<Scheduler>> DpmppScheduler::make(const DpmppConfig& config, int steps)
{
    const NoiseSchedule& schedule = config.multistep.schedule;
    const SigmaOptions& options = config.multistep.sigmas;
    const auto trained = sigmas_of(schedule.alphas_cumprod);
    const bool rounds = (config.lu_lambdas || options.spacing == SigmaSpacing::karras) && !schedule.squared_cosine;
    std::vector<double> timesteps = config.multistep.spaced_timesteps(steps, config.used_timesteps());
    if (auto fits = schedule.check_steps(steps, timesteps); !fits) {
        return tl::unexpected(fits.error());
    }
    std::vector<double> sigmas = config.lu_lambdas ? lu_sigmas(trained, steps)
                                 : options.spacing == SigmaSpacing::from_timesteps
                                     ? interpolate_sigmas(trained, timesteps)
                                     : options.spaced(trained.front(), trained.back(), steps);
    if (config.lu_lambdas || options.spacing != SigmaSpacing::from_timesteps) {
        timesteps = timesteps_of(sigmas, trained);
    }
    if (rounds) {
        std::transform(timesteps.begin(), timesteps.end(), timesteps.begin(),
                       [](double t) { return std::nearbyint(t); });
    }
    sigmas.push_back(options.ends_at_zero ? 0.0 : trained.front());
    return std::unique_ptr<Scheduler>(new DpmppScheduler(config, timesteps, sigmas));
}

DpmppScheduler::DpmppScheduler(const DpmppConfig& config, const std::vector<double>& timesteps,
                               const std::vector<double>& sigmas)
    : MultistepScheduler(config.multistep, timesteps, sigmas), algorithm_(config.algorithm), heun_(config.heun),
      euler_at_final_(config.euler_at_final)
{
}

/// Of the step at `index`, whose output is remembered already.
int DpmppScheduler::order_of(std::size_t index) const
{
    constexpr std::size_t few_steps = 15;
    const std::size_t left = timesteps_.size() - index;
    const bool lowers = config().lower_order_final && timesteps_.size() < few_steps;
    if (left == 1 && (euler_at_final_ || lowers || config().sigmas.ends_at_zero)) {
        return 1;
    }
    return left == 2 && lowers ? std::min(outputs(), 2) : outputs();
}

at::Tensor DpmppScheduler::converted(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample) const
{
    if (!solves_for_noise(algorithm_)) {
        return original_of(prediction, index, sample);
    }
    at::Tensor noise = noise_of(prediction, index, sample);
    if (config().limits.thresholds) {
        const NoiseLevel from = level(index);
        const at::Tensor original = config().limits.apply((sample - from.sigma * noise) / from.alpha);
        noise = (sample - from.alpha * original) / from.sigma;
    }
    return noise;
}

at::Tensor DpmppScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                NoiseSource& noise)
{
    const NoiseLevel from = level(index);
    const at::Tensor output = converted(prediction, index, sample);
    remember(output);
    const NoiseLevel to = level(index + 1);
    const DpmWeights weight = dpm_weights(algorithm_, from, to);
    const int order = order_of(index);

    at::Tensor next = weight.sample * sample.to(at::kFloat) + weight.d0 * output;
    if (order > 1) {
        const at::Tensor h = to.lambda - from.lambda;
        const NoiseLevel before = level(index - 1);
        const at::Tensor r0 = (from.lambda - before.lambda) / h;
        const at::Tensor slope = 1.0 / r0 * (output - this->output(1));
        if (order == 2) {
            next = next + (heun_ ? weight.d1_heun : weight.d1_midpoint) * slope;
        } else {
            const at::Tensor r1 = (before.lambda - level(index - 2).lambda) / h;
            const at::Tensor bend = slope - 1.0 / r1 * (this->output(1) - this->output(2));
            next = next + weight.d1_heun * (slope + r0 / (r0 + r1) * bend) + weight.d2 * (1.0 / (r0 + r1) * bend);
        }
    }
    if (weight.noise.defined()) {
        next = next + weight.noise * noise.draw_like(next);
    }
    return next.to(output.scalar_type());
}

} // namespace sdfleet::pipeline
