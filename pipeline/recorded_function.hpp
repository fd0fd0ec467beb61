// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/recorded_work.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// A function from one tensor to some, recorded for each shape of the tensor at its first call and replayed after. Keeps the
/// recordings of the max_kept latest shapes. Without a recorder it is the function itself. One thread at a time.
class RecordedFunction {
public:
    using Function = std::function<std::vector<at::Tensor>(const at::Tensor&)>;
    static constexpr std::size_t max_kept = 4;

    RecordedFunction() = default;
    explicit RecordedFunction(Recorder recorder) : recorder_(std::move(recorder)) {}

    /// `function` must be the same for the same `tag` and shape; it is called in this call at most. The results are valid
    /// until the next call for the same tag and shape.
    std::vector<at::Tensor> operator()(int tag, const at::Tensor& input, const Function& function);

    void clear() { recordings_.clear(); }
    std::size_t kept() const { return recordings_.size(); }

private:
    struct Recording {
        int tag = 0;
        at::Tensor input;
        Function function; ///< what the recorder was given refers to it
        std::vector<at::Tensor> outputs;
        std::unique_ptr<RecordedWork> work;
    };
    Recording& recording_of(int tag, const at::Tensor& input, const Function& function);

    Recorder recorder_;
    std::list<Recording> recordings_; ///< the latest first
};

} // namespace sdfleet::pipeline
