// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/upsample_nearest.cuh"
