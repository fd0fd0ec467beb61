// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sdfleet::collective {

/// "cuda:N" for a rank that this program can give a GPU of its own, counted within the process as CUDA does, or "cpu".
/// GPUs count when their device files are there, CUDA_VISIBLE_DEVICES shows them, and the GPU plug-in lies beside the
/// program or one folder above; ACCELERATE_USE_CPU=true leaves them alone. With more ranks than GPUs the ranks share them in turn.
std::string rank_device(std::uint32_t local_rank);

} // namespace sdfleet::collective
