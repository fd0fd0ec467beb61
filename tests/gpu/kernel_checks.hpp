// SPDX-License-Identifier: Apache-2.0
// An implementation of the kernel table beside the CPU's, for sizes that the caller chooses. The checks draw their inputs from a
// fixed seed, run both, and throw std::runtime_error, with the place, where they differ by more than rounding.
#pragma once

#include "kernels/kernel_table.hpp"
#include "tests/gpu/kernel_memory.hpp"

namespace sdfleet::gpu_test {

struct KernelSubject {
    const kernels::KernelTable& table;
    KernelMemory& memory;
    kernels::Queue queue = nullptr;
};

/// Of `sizes` the type and the numbers count, its pointers do not. bias_rows 0: without row_bias.
/// Also in place, and each image alone to the bit.
void check_group_norm(const KernelSubject& subject, const kernels::GroupNormArguments& sizes);
/// With and without a residual and a sum; also in place, and a row alone to the bit.
void check_layer_norm(const KernelSubject& subject, const kernels::LayerNormArguments& sizes);
void check_geglu(const KernelSubject& subject, const kernels::GegluArguments& sizes);
/// With and without a bias and a residual; also in place. To the bit.
void check_bias_residual(const KernelSubject& subject, const kernels::BiasResidualArguments& sizes);
/// To the bit.
void check_upsample(const KernelSubject& subject, const kernels::UpsampleArguments& sizes);
/// To the bit.
void check_model_input(const KernelSubject& subject, const kernels::ModelInputArguments& sizes);
/// With one to all terms, results over terms, and results that nobody wants; also a row alone to the bit.
void check_sample_update(const KernelSubject& subject, const kernels::SampleUpdateArguments& sizes);
/// To the bit; also from and to odd places.
void check_image_bytes(const KernelSubject& subject, const kernels::ImageBytesArguments& sizes);
/// That what the CPU's table refuses is refused, before anything is started.
void check_refusals(const KernelSubject& subject);

} // namespace sdfleet::gpu_test
