// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/image_bytes.cuh"
