// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/layer_norm.cuh"
