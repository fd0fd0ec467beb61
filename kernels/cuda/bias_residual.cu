// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/bias_residual.cuh"
