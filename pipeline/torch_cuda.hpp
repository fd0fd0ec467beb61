// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

namespace sdfleet::pipeline {

/// LibTorch's GPU half. The programs link only the CPU half, so that one build starts on any machine; this loads
/// libtorch_cuda.so from the folder that the CPU half came from, once in a process, and returns how many devices there
/// are: at least one. Takes a second or two the first time. From any thread.
/// ExitCode::failed, in words, where the library or what it needs is missing, or driver or GPU. Nothing is tried twice.
base::Result<int> cuda_device_count();

/// Whether this machine has an NVIDIA driver at all: cheap, and loads nothing.
bool has_nvidia_driver();

} // namespace sdfleet::pipeline
