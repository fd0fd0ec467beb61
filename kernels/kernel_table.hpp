// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// The pipeline's own kernels, as raw pointers and plain numbers: no Torch, no CUDA header. Two implementations fill the
/// same table: the CPU's (cpu_kernels.hpp), which is the reference and what fast mode runs without a GPU, and the GPU's
/// (in libsdfleet_cuda.so, loaded at run time).
///
/// Images are NHWC: `pixels` is height * width, and the channels of a pixel lie side by side. All arrays are dense. An
/// `output` may be the same array as an input of the same shape unless said otherwise, but not overlap it in part.
/// Arithmetic is in fp32 whatever the type; sums run in an order that does not depend on the batch, so a row's result does
/// not depend on its neighbours, nor on how many there are.
///
/// Threads: any; a GPU's kernels go to `queue` of the calling thread's current device and are not waited for.
/// Pointers are aligned to 16 bytes unless said otherwise. Nothing is allocated and nothing synchronises, so that all of it
/// can be captured in a CUDA graph.
namespace sdfleet::kernels {

enum class ElementType : std::int32_t { float32 = 0, float16 = 1, bfloat16 = 2 };

enum class Status : std::int32_t {
    done = 0,
    invalid = 1, ///< sizes that the kernel does not take, a missing pointer: nothing was started
    failed = 2,  ///< the launch failed (GPU only)
};

/// A cudaStream_t; null is the GPU's default stream. The CPU's kernels ignore it.
using Queue = void*;

/// Group normalisation (https://arxiv.org/abs/1803.08494) of input + row_bias, with SiLU behind it if asked for.
struct GroupNormArguments {
    ElementType type;
    const void* input; ///< [batch, pixels, channels]
    /// [bias_rows, channels], added to the input first (a convolution's bias, a time embedding), or null; any alignment of
    /// an element.
    const void* row_bias;
    std::int64_t bias_rows;   ///< 1 or batch
    std::int64_t bias_stride; ///< elements from one row of row_bias to the next, at least channels
    const void* weight;       ///< [channels]
    const void* bias;         ///< [channels]
    void* output;             ///< [batch, pixels, channels]
    void* workspace;          ///< of group_norm_workspace_bytes; may be null where that is 0
    std::int64_t batch, pixels, channels, groups;
    float eps;
    bool silu;
};

/// sum = input + residual, output = layer normalisation (https://arxiv.org/abs/1607.06450) of sum.
struct LayerNormArguments {
    ElementType type;
    const void* input;    ///< [rows, features]
    const void* residual; ///< [rows, features], or null
    const void* weight;   ///< [features]
    const void* bias;     ///< [features]
    void* sum;            ///< [rows, features], or null; rounded to `type` before it is normalised
    void* output;         ///< [rows, features]
    std::int64_t rows, features;
    float eps;
};

/// output = value * gelu(gate), gelu by erf (https://arxiv.org/abs/2002.05202). `output` is an array of its own.
struct GegluArguments {
    ElementType type;
    const void* input; ///< [rows, 2 * features]: values, then gates
    void* output;      ///< [rows, features]
    std::int64_t rows, features;
};

/// output = input + bias + residual.
struct BiasResidualArguments {
    ElementType type;
    const void* input;    ///< [rows, channels]
    const void* bias;     ///< [channels], or null
    const void* residual; ///< [rows, channels], or null
    void* output;         ///< [rows, channels]
    std::int64_t rows, channels;
};

/// Nearest neighbour, to sizes at least those of the input; `output` is an array of its own. Pixel (y, x) of the output is
/// pixel (floor(y * height / output_height), floor(x * width / output_width)) of the input.
struct UpsampleArguments {
    ElementType type;
    const void* input; ///< [batch, height, width, channels]
    void* output;      ///< [batch, output_height, output_width, channels]
    std::int64_t batch, height, width, channels, output_height, output_width;
};

constexpr std::int64_t max_sample_rows = 64;
constexpr std::int64_t max_sample_terms = 8;

/// Latents as a UNet takes them: scaled by a factor of each row, NCHW to NHWC, once or twice (guidance), beside further
/// channels that are not scaled (of an inpainting model).
struct ModelInputArguments {
    ElementType type;         ///< of output
    const float* const* rows; ///< host array of `batch` pointers to [channels, pixels], fp32, 4-byte aligned
    const float* const*
        more;           ///< host array of `batch` pointers to [more_channels, pixels], fp32; null with more_channels 0
    const float* scale; ///< host array of `batch` factors
    void* output;       ///< [copies * batch, pixels, channels + more_channels]: all rows, then all rows again
    std::int64_t batch, pixels, channels, more_channels, copies; ///< batch <= max_sample_rows, copies 1 or 2
};

/// One row's update. result = sum over k of factor[k] * term[k], where term 0 is the row's guided prediction:
/// uncond + guidance * (cond - uncond), or cond alone with copies 1.
struct SampleRow {
    float guidance;
    std::int32_t terms; ///< of `term` and `factor`, with term 0: 1 to max_sample_terms
    float factor[max_sample_terms];
    const float* term[max_sample_terms]; ///< [channels, pixels], fp32, aligned as one float is; term[0] is not read
    float* result;                       ///< [channels, pixels]; may be any of the terms; null: not wanted
    float* prediction;                   ///< [channels, pixels]: the guided prediction itself, for a history; or null
};

/// Guidance and a scheduler's step in one pass over the predictions of a UNet. Each row has its own numbers, so rows may be
/// at different steps of different schedules. Terms of one row are read before its result is written, element by element.
struct SampleUpdateArguments {
    ElementType type;         ///< of the model's output
    const void* model_output; ///< [copies * batch, pixels, channels], NHWC: unconditional rows first
    const SampleRow* rows;    ///< host array of `batch`
    std::int64_t batch, pixels, channels, copies;
};

/// -1..1 to 0..255: round(clamp(x / 2 + 1 / 2, 0, 1) * 255), halves to even; what is not a number becomes 0.
struct ImageBytesArguments {
    ElementType type;
    const void* input;    ///< [pixels, channels], any alignment of an element
    std::uint8_t* output; ///< [pixels, channels], any alignment
    std::int64_t pixels, channels;
};

struct KernelTable {
    std::uint32_t version;     ///< kernel_table_version of who filled it
    std::uint32_t table_bytes; ///< sizeof(KernelTable) of who filled it

    std::int64_t (*group_norm_workspace_bytes)(
        std::int64_t batch, std::int64_t pixels, std::int64_t channels,
        std::int64_t groups); ///< never fails; 0 for sizes that group_norm refuses
    Status (*group_norm)(const GroupNormArguments&, Queue);
    Status (*layer_norm)(const LayerNormArguments&, Queue);
    Status (*geglu)(const GegluArguments&, Queue);
    Status (*bias_residual)(const BiasResidualArguments&, Queue);
    Status (*upsample_nearest)(const UpsampleArguments&, Queue);
    Status (*model_input)(const ModelInputArguments&, Queue);
    Status (*sample_update)(const SampleUpdateArguments&, Queue);
    Status (*image_bytes)(const ImageBytesArguments&, Queue);
};

constexpr std::uint32_t kernel_table_version = 1;

/// What libsdfleet_cuda.so exports under kernel_table_symbol; null where it was built without kernels.
using KernelTableFunction = const KernelTable* (*)();
constexpr const char* kernel_table_symbol = "sdfleet_cuda_kernels_v1";

} // namespace sdfleet::kernels
