// SPDX-License-Identifier: Apache-2.0
#include "pipeline/unipc_scheduler.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>

namespace sdfleet::pipeline {

namespace {

/// The weights rho of the differences, from the order conditions R rho = b: `ratios` are the differences' places in
/// lambda, in units of the step hh; `scale` is B(h).
at::Tensor solve_weights(const std::vector<at::Tensor>& ratios, const at::Tensor& hh, const at::Tensor& scale)
{
    const at::Tensor places = at::stack(ratios);
    std::vector<at::Tensor> rows;
    std::vector<at::Tensor> right;
    at::Tensor phi = hh.expm1() / hh - 1;
    double factorial = 1;
    for (std::size_t i = 0; i < ratios.size(); ++i) {
        rows.push_back(places.pow(static_cast<double>(i)));
        right.push_back(phi * factorial / scale);
        factorial *= static_cast<double>(i + 2);
        phi = phi / hh - 1 / factorial;
    }
    return at::linalg_solve(at::stack(rows), at::stack(right));
}

} // namespace

base::Result<UniPcConfig> UniPcConfig::read(ConfigReader& reader)
{
    UniPcConfig config;
    config.multistep = MultistepConfig::read(reader);
    config.predicts_original = reader.boolean("predict_x0", true);
    // The last three are other classes' and mean bh2 here.
    config.bh1 = reader.choice("solver_type", "bh2", {"bh1", "bh2", "midpoint", "heun", "logrho"}) == "bh1";
    for (const double index : reader.numbers("disable_corrector")) {
        if (index >= 0 && index < static_cast<double>(config.multistep.schedule.num_train_timesteps)) {
            config.disable_corrector.insert(static_cast<std::int64_t>(index)); // others name no step
        }
    }
    reader.only("solver_p");
    reader.only("shift_terminal");
    // Steps of infinite length in lambda, which only a first-order step for the picture survives.
    if (config.multistep.sigmas.ends_at_zero && !config.predicts_original) {
        reader.problem("'predict_x0' false needs 'final_sigmas_type' sigma_min");
    }
    if (config.multistep.sigmas.ends_at_zero && !config.multistep.lower_order_final &&
        config.multistep.solver_order > 1) {
        reader.problem("'lower_order_final' false needs 'final_sigmas_type' sigma_min");
    }
    return reader.finish_tolerantly().map([&] { return config; });
}

base::Result<std::unique_ptr<Scheduler>> UniPcScheduler::make(const UniPcConfig& config, int steps)
{
    const NoiseSchedule& schedule = config.multistep.schedule;
    const SigmaOptions& options = config.multistep.sigmas;
    const auto trained = sigmas_of(schedule.alphas_cumprod);
    std::vector<double> timesteps = config.multistep.spaced_timesteps(steps, schedule.num_train_timesteps);
    if (auto fits = schedule.check_steps(steps, timesteps); !fits) {
        return tl::unexpected(fits.error());
    }
    std::vector<double> sigmas;
    double last = trained.front();
    if (options.spacing == SigmaSpacing::from_timesteps) {
        sigmas = interpolate_sigmas(trained, timesteps);
    } else {
        sigmas = options.spaced(trained.front(), trained.back(), steps);
        timesteps = timesteps_of(sigmas, trained);
        last = sigmas.back();
    }
    if (options.spacing == SigmaSpacing::karras) {
        std::transform(timesteps.begin(), timesteps.end(), timesteps.begin(),
                       [](double t) { return std::nearbyint(t); });
    }
    sigmas.push_back(options.ends_at_zero ? 0.0 : last);
    return std::unique_ptr<Scheduler>(new UniPcScheduler(config, timesteps, sigmas));
}

UniPcScheduler::UniPcScheduler(const UniPcConfig& config, const std::vector<double>& timesteps,
                               const std::vector<double>& sigmas)
    : MultistepScheduler(config.multistep, timesteps, sigmas), predicts_original_(config.predicts_original),
      bh1_(config.bh1), disable_corrector_(config.disable_corrector)
{
}

at::Tensor UniPcScheduler::step(const at::Tensor& prediction, std::size_t index, const at::Tensor& sample,
                                NoiseSource& /*noise*/)
{
    const at::Tensor output =
        predicts_original_ ? original_of(prediction, index, sample) : noise_of(prediction, index, sample);
    at::Tensor from = sample;
    if (last_sample_.defined() && !disable_corrector_.contains(static_cast<std::int64_t>(index) - 1)) {
        from = advance(last_sample_, index - 1, last_order_, output);
    }
    remember(output);
    last_sample_ = from;
    last_order_ = outputs();
    if (config().lower_order_final) {
        last_order_ = std::min(last_order_, static_cast<int>(timesteps_.size() - index));
    }
    return advance(from, index, last_order_, {});
}

at::Tensor UniPcScheduler::advance(const at::Tensor& sample, std::size_t from, int order,
                                   const at::Tensor& output_there) const
{
    const NoiseLevel start = level(from);
    const NoiseLevel end = level(from + 1);
    const at::Tensor h = end.lambda - start.lambda;
    const at::Tensor hh = predicts_original_ ? -h : h;
    const at::Tensor phi = hh.expm1();
    const at::Tensor scale = bh1_ ? hh : phi;
    const at::Tensor& newest = output(0);

    std::vector<at::Tensor> ratios;
    std::vector<at::Tensor> differences;
    for (int k = 1; k < order; ++k) {
        ratios.push_back((level(from - static_cast<std::size_t>(k)).lambda - start.lambda) / h);
        differences.push_back((output(static_cast<std::size_t>(k)) - newest) / ratios.back());
    }
    const bool corrects = output_there.defined();
    if (corrects) {
        ratios.push_back(at::ones_like(h));
    }
    at::Tensor first_order = predicts_original_ ? end.sigma / start.sigma * sample - end.alpha * phi * newest
                                                : end.alpha / start.alpha * sample - end.sigma * phi * newest;
    if (ratios.empty()) {
        return first_order;
    }
    // One difference has the weight 1/2, whatever its place.
    const at::Tensor weights =
        (ratios.size() == 1 ? at::full({1}, 0.5) : solve_weights(ratios, hh, scale)).to(sample.options());
    at::Tensor sum;
    if (!differences.empty()) {
        sum = at::einsum("k,bk...->b...", {weights.slice(0, 0, order - 1), at::stack(differences, 1)});
    }
    if (corrects) {
        const at::Tensor last = weights[-1] * (output_there - newest);
        sum = sum.defined() ? sum + last : last;
    }
    const at::Tensor& share = predicts_original_ ? end.alpha : end.sigma;
    return first_order - share * scale * sum;
}

} // namespace sdfleet::pipeline
