// SPDX-License-Identifier: Apache-2.0
#include "pipeline/linear_schedule.hpp"

#include <array>
#include <cmath>
#include <span>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

namespace sdfleet::pipeline {

namespace {

constexpr std::array kinds{LinearTerm::Of::prediction, LinearTerm::Of::sample, LinearTerm::Of::noise};

/// Unit vectors: one dimension for each call's prediction, sample and noise.
class UnitVectors {
public:
    explicit UnitVectors(std::size_t calls) : calls_(calls) {}

    at::Tensor of(std::size_t call, std::size_t kind) const
    {
        at::Tensor vector = at::zeros({1, static_cast<std::int64_t>(kinds.size() * calls_)});
        vector[0][static_cast<std::int64_t>(kinds.size() * call + kind)] = 1;
        return vector;
    }

private:
    std::size_t calls_;
};

/// In place of random numbers, the unit vector of the call's noise.
class UnitNoise final : public NoiseSource {
public:
    explicit UnitNoise(at::Tensor vector) : NoiseSource(0), vector_(std::move(vector)) {}
    at::Tensor draw(at::IntArrayRef /*shape*/) override
    {
        ++draws_;
        return vector_;
    }
    int draws() const { return draws_; }

private:
    at::Tensor vector_;
    int draws_ = 0;
};

/// `factors`: kinds.size() for each call up to `call`. Nothing for what is too long, too old or no number.
std::optional<LinearStep> step_of(std::span<const float> factors, std::size_t call)
{
    LinearStep step;
    step.terms.push_back({LinearTerm::Of::prediction, 0, factors[kinds.size() * call]});
    for (std::size_t i = 0; i < factors.size(); ++i) {
        if (!std::isfinite(factors[i])) {
            return std::nullopt;
        }
        const std::size_t of_call = i / kinds.size();
        const LinearTerm::Of of = kinds.at(i % kinds.size());
        if (factors[i] == 0 || (of_call == call && of == LinearTerm::Of::prediction)) {
            continue;
        }
        const std::size_t calls_ago = call - of_call;
        if (calls_ago > LinearSchedule::max_calls_ago || (of == LinearTerm::Of::noise && calls_ago > 0)) {
            return std::nullopt;
        }
        step.terms.push_back({of, calls_ago, factors[i]});
    }
    return step.terms.size() <= LinearSchedule::max_terms ? std::optional(step) : std::nullopt;
}

} // namespace

std::optional<LinearSchedule> LinearSchedule::derive(Scheduler& fresh, std::size_t first)
{
    if (!fresh.is_linear()) {
        return std::nullopt;
    }
    const std::size_t calls = fresh.timesteps().size() - first;
    const UnitVectors unit(calls);
    LinearSchedule schedule;
    schedule.first_ = first;
    for (std::size_t call = 0; call < calls; ++call) {
        const std::size_t index = first + call;
        UnitNoise noise(unit.of(call, 2));
        const float scale = fresh.scale_model_input(at::ones({1}), index).item<float>();
        const at::Tensor sample = unit.of(call, 1);
        const at::Tensor next = fresh.step(unit.of(call, 0), index, sample, noise).to(at::kFloat).contiguous();
        auto step = step_of({next.const_data_ptr<float>(), kinds.size() * (call + 1)}, call);
        if (!step || noise.draws() > 1) {
            return std::nullopt;
        }
        // Also where it does not show in the result: those behind it come from the same source.
        step->draws_noise = noise.draws() == 1;
        step->input_scale = scale;
        for (const LinearTerm& term : step->terms) {
            schedule.calls_kept_ = std::max(schedule.calls_kept_, term.calls_ago);
        }
        schedule.steps_.push_back(std::move(*step));
    }
    return schedule;
}

} // namespace sdfleet::pipeline
