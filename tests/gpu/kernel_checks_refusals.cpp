// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/kernel_check_tools.hpp"

namespace sdfleet::gpu_test {

namespace {

void require_refused(kernels::Status status, const char* what)
{
    if (status != kernels::Status::invalid) {
        fail(std::string(what) + " was not refused");
    }
}

} // namespace

void check_refusals(const KernelSubject& subject)
{
    const auto& table = subject.table;
    const KernelArray array(subject.memory, unwritten(1'024));
    void* memory = array.data();
    const float* row = static_cast<const float*>(memory);
    require_refused(table.group_norm({.type = ElementType::float32,
                                      .input = memory,
                                      .row_bias = nullptr,
                                      .bias_rows = 0,
                                      .bias_stride = 0,
                                      .weight = memory,
                                      .bias = memory,
                                      .output = memory,
                                      .workspace = nullptr,
                                      .batch = 1,
                                      .pixels = 1,
                                      .channels = 6,
                                      .groups = 4,
                                      .eps = 0,
                                      .silu = false},
                                     subject.queue),
                    "group_norm of 6 channels in 4 groups");
    require_refused(table.layer_norm({.type = ElementType::float16,
                                      .input = memory,
                                      .residual = nullptr,
                                      .weight = memory,
                                      .bias = memory,
                                      .sum = nullptr,
                                      .output = memory,
                                      .rows = 0,
                                      .features = 8,
                                      .eps = 0},
                                     subject.queue),
                    "layer_norm of no rows");
    require_refused(
        table.geglu({.type = ElementType::float16, .input = memory, .output = memory, .rows = 1, .features = 8},
                    subject.queue),
        "geglu over its input");
    require_refused(table.bias_residual({.type = static_cast<ElementType>(7),
                                         .input = memory,
                                         .bias = nullptr,
                                         .residual = nullptr,
                                         .output = memory,
                                         .rows = 1,
                                         .channels = 8},
                                        subject.queue),
                    "bias_residual of an unknown type");
    require_refused(table.upsample_nearest({.type = ElementType::float16,
                                            .input = nullptr,
                                            .output = memory,
                                            .batch = 1,
                                            .height = 1,
                                            .width = 1,
                                            .channels = 8,
                                            .output_height = 2,
                                            .output_width = 2},
                                           subject.queue),
                    "upsample_nearest of nothing");
    const float scale = 1;
    require_refused(table.model_input({.type = ElementType::float16,
                                       .rows = &row,
                                       .more = nullptr,
                                       .scale = &scale,
                                       .output = memory,
                                       .batch = 1,
                                       .pixels = 4,
                                       .channels = 4,
                                       .more_channels = 0,
                                       .copies = 3},
                                      subject.queue),
                    "model_input in three copies");
    const kernels::SampleRow numbers{};
    require_refused(table.sample_update({.type = ElementType::float16,
                                         .model_output = memory,
                                         .rows = &numbers,
                                         .batch = 1,
                                         .pixels = 4,
                                         .channels = 4,
                                         .copies = 1},
                                        subject.queue),
                    "sample_update without a term");
    require_refused(table.image_bytes(
                        {.type = ElementType::float16, .input = memory, .output = nullptr, .pixels = 4, .channels = 3},
                        subject.queue),
                    "image_bytes to nowhere");
    require_equal(array.read(), unwritten(1'024), "what was refused");
}

} // namespace sdfleet::gpu_test
