// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recorded_function.hpp"

#include <algorithm>

namespace sdfleet::pipeline {

RecordedFunction::Recording& RecordedFunction::recording_of(int tag, const at::Tensor& input, const Function& function)
{
    const auto fits = [&](const Recording& recording) {
        return recording.tag == tag && recording.input.sizes() == input.sizes() &&
               recording.input.scalar_type() == input.scalar_type();
    };
    if (const auto found = std::ranges::find_if(recordings_, fits); found != recordings_.end()) {
        found->input.copy_(input);
        recordings_.splice(recordings_.begin(), recordings_, found);
        return recordings_.front();
    }
    while (recordings_.size() >= max_kept) {
        recordings_.pop_back();
    }
    // In its place first: the recorder may look at it again as long as it lives.
    Recording& recording = recordings_.emplace_front(Recording{tag, input.clone(), function, {}, nullptr});
    try {
        recording.work = recorder_([&recording] { recording.outputs = recording.function(recording.input); });
    } catch (...) {
        recordings_.pop_front();
        throw;
    }
    return recording;
}

std::vector<at::Tensor> RecordedFunction::operator()(int tag, const at::Tensor& input, const Function& function)
{
    if (!recorder_) {
        return function(input);
    }
    Recording& recording = recording_of(tag, input, function);
    recording.work->replay();
    return recording.outputs;
}

} // namespace sdfleet::pipeline
