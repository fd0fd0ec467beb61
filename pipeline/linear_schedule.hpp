// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/scheduler.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace sdfleet::pipeline {

/// One summand of a step.
struct LinearTerm {
    enum class Of { prediction, sample, noise };
    Of of = Of::prediction;
    std::size_t calls_ago = 0; ///< 0: of this call
    float factor = 0;
};

/// What a scheduler does in one call, as numbers: the model's input is the sample times `input_scale`, and the next sample
/// is the sum of the terms.
struct LinearStep {
    float input_scale = 1;
    std::vector<LinearTerm> terms; ///< the first is this call's prediction, though its factor be 0
    bool draws_noise = false;      ///< the call draws noise once, whether or not a term uses it
};

/// A scheduler's whole way as such numbers, for a kernel that makes a step in one pass. They are not written down a second
/// time for each method, but read off the scheduler itself: it is run on unit vectors in place of samples, predictions and
/// noise, and what comes out are the factors.
class LinearSchedule {
public:
    /// `fresh`: a scheduler that has made no step, used up by this. Nothing when its steps are not linear, or need more
    /// terms or older calls than max_terms and max_calls_ago.
    static std::optional<LinearSchedule> derive(Scheduler& fresh, std::size_t first = 0);

    /// `index` as the scheduler counts, from `first`.
    const LinearStep& step(std::size_t index) const { return steps_.at(index - first_); }

    /// How many earlier samples and predictions must be kept for the calls to come.
    std::size_t calls_kept() const { return calls_kept_; }

    static constexpr std::size_t max_terms = 8;
    static constexpr std::size_t max_calls_ago = 4;

private:
    std::size_t first_ = 0;
    std::vector<LinearStep> steps_;
    std::size_t calls_kept_ = 0;
};

} // namespace sdfleet::pipeline
