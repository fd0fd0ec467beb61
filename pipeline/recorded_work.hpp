// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

namespace sdfleet::pipeline {

/// Work of a GPU that was recorded once (a CUDA graph): to replay it costs one launch instead of hundreds. It reads and
/// writes the memory that the recording used; what that is must stay where it is.
class RecordedWork {
public:
    virtual ~RecordedWork() = default;

    /// On the current stream; is not waited for.
    virtual void replay() = 0;
};

/// Records what `work` gives to the GPU. `work` is run before, unrecorded, as often as the libraries need to choose their
/// algorithms; in the recorded run it must not wait for the GPU. Tensors that it makes live in the recording's own memory as long as that.
/// Throws what `work` throws.
using Recorder = std::function<std::unique_ptr<RecordedWork>(const std::function<void()>& work)>;

} // namespace sdfleet::pipeline
