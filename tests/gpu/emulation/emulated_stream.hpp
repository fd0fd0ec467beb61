// SPDX-License-Identifier: Apache-2.0
// What the emulated NCCL needs of the emulated CUDA.
#pragma once

#include <functional>

#include <cuda_runtime_api.h>

/// Runs `work` after what the stream holds. Null is the default stream.
__attribute__((visibility("default"))) void emulated_enqueue(cudaStream_t stream, std::function<void()> work);
