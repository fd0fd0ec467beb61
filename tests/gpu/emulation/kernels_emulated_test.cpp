// SPDX-License-Identifier: Apache-2.0
// The GPU's kernels, executed by this processor, beside the CPU's: small sizes that take every way through them. The threads of
// a block take their turns in different orders, so that a missing barrier shows.
#include "kernels/cuda/group_norm_plan.hpp"
#include "tests/gpu/emulation/emulated_kernels.hpp"
#include "tests/gpu/emulation/fibers.hpp"
#include "tests/gpu/kernel_checks.hpp"

#include "tests/catch.hpp"

using namespace sdfleet::gpu_test;
using namespace sdfleet::kernels;

namespace {

constexpr ElementType all_types[] = {ElementType::float32, ElementType::float16, ElementType::bfloat16};

/// For each type, and once more in another order of the threads.
template <class Check>
void in_all_orders(const Check& check)
{
    HostMemory memory;
    const KernelSubject subject{emulated_kernels(), memory};
    set_fiber_order(FiberOrder::shuffled);
    for (const ElementType type : all_types) {
        check(subject, type);
    }
    set_fiber_order(FiberOrder::backwards);
    check(subject, ElementType::float16);
    set_fiber_order(FiberOrder::forwards);
}

GroupNormArguments image(ElementType type, std::int64_t batch, std::int64_t pixels, std::int64_t channels,
                         std::int64_t groups, std::int64_t bias_rows = 0, std::int64_t bias_stride = 0)
{
    GroupNormArguments sizes{};
    sizes.type = type;
    sizes.batch = batch;
    sizes.pixels = pixels;
    sizes.channels = channels;
    sizes.groups = groups;
    sizes.bias_rows = bias_rows;
    sizes.bias_stride = bias_stride;
    sizes.eps = 1e-5f;
    sizes.silu = bias_rows > 0;
    return sizes;
}

using Way = sdfleet::kernels::cuda::GroupNormPlan::Way;

Way way_of(const GroupNormArguments& sizes)
{
    return sdfleet::kernels::cuda::plan_group_norm(sizes.type, sizes.pixels, sizes.channels, sizes.groups).way;
}

} // namespace

TEST_CASE("group_norm of few pixels stays in registers")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const auto& sizes : {image(type, 2, 9, 320, 32, 2, 331), image(type, 2, 64, 64, 8, 1, 64),
                                  image(type, 1, 200, 32, 2), image(type, 1, 130, 64, 4), image(type, 1, 1, 16, 2)}) {
            REQUIRE(way_of(sizes) == Way::resident);
            check_group_norm(subject, sizes);
        }
    });
}

TEST_CASE("group_norm of many pixels joins the sums of their parts")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const auto& sizes : {image(type, 2, 1'100, 40, 4, 2, 40), image(type, 1, 1'031, 64, 32)}) {
            REQUIRE(way_of(sizes) == Way::two_passes);
            check_group_norm(subject, sizes);
        }
    });
}

TEST_CASE("group_norm of what is not made of 16 bytes")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const auto& sizes : {image(type, 2, 35, 21, 7, 2, 23), image(type, 1, 3, 1, 1),
                                  image(type, 1, 2, 1'030, 2, 1, 0), image(type, 1, 300, 5, 5)}) {
            REQUIRE(way_of(sizes) == Way::any_shape);
            check_group_norm(subject, sizes);
        }
    });
}

TEST_CASE("layer_norm in registers, and of rows that are too long or odd for them")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t features : {320, 640, 768, 1'280, 8, 2'048, 2'056, 77, 1}) {
            LayerNormArguments sizes{};
            sizes.type = type;
            sizes.rows = 5;
            sizes.features = features;
            sizes.eps = 1e-5f;
            check_layer_norm(subject, sizes);
        }
    });
}

TEST_CASE("geglu, in vectors and element by element")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t features : {1'280, 13, 8}) {
            check_geglu(subject, {.type = type, .input = nullptr, .output = nullptr, .rows = 7, .features = features});
        }
    });
}

TEST_CASE("bias_residual, in vectors and element by element")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t channels : {320, 7, 1}) {
            check_bias_residual(subject, {.type = type,
                                          .input = nullptr,
                                          .bias = nullptr,
                                          .residual = nullptr,
                                          .output = nullptr,
                                          .rows = 11,
                                          .channels = channels});
        }
    });
}

TEST_CASE("upsample_nearest, by whole factors and by others")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t channels : {40, 3}) {
            for (const auto& [height, width] : {std::pair{10, 14}, {5, 7}, {9, 13}, {11, 29}}) {
                check_upsample(subject, {.type = type,
                                         .input = nullptr,
                                         .output = nullptr,
                                         .batch = 2,
                                         .height = 5,
                                         .width = 7,
                                         .channels = channels,
                                         .output_height = height,
                                         .output_width = width});
            }
        }
    });
}

TEST_CASE("model_input, of all rows that there can be")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t more_channels : {0, 5}) {
            check_model_input(subject, {.type = type,
                                        .rows = nullptr,
                                        .more = nullptr,
                                        .scale = nullptr,
                                        .output = nullptr,
                                        .batch = max_sample_rows,
                                        .pixels = 35,
                                        .channels = 4,
                                        .more_channels = more_channels,
                                        .copies = more_channels > 0 ? 2 : 1});
        }
    });
}

TEST_CASE("sample_update, of more rows than one launch takes")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t copies : {1, 2}) {
            check_sample_update(subject, {.type = type,
                                          .model_output = nullptr,
                                          .rows = nullptr,
                                          .batch = 37,
                                          .pixels = 77,
                                          .channels = 4,
                                          .copies = copies});
        }
    });
}

TEST_CASE("image_bytes, from any place")
{
    in_all_orders([](const KernelSubject& subject, ElementType type) {
        for (const std::int64_t pixels : {1, 5, 1'001}) {
            check_image_bytes(subject,
                              {.type = type, .input = nullptr, .output = nullptr, .pixels = pixels, .channels = 3});
        }
    });
}

TEST_CASE("what the CPU's kernels refuse the GPU's refuse, too")
{
    HostMemory memory;
    check_refusals({emulated_kernels(), memory});
}

TEST_CASE("a Divider divides")
{
    constexpr std::uint32_t most = (1u << 31) - 1;
    for (const std::uint32_t divisor :
         {1u, 2u, 3u, 7u, 40u, 320u, 641u, 65'535u, 65'537u, (1u << 30) + 1, most - 1, most}) {
        for (const std::uint32_t number :
             {0u, 1u, divisor - 1, divisor, most / divisor * divisor, most / divisor * divisor - 1, most}) {
            CAPTURE(divisor, number);
            REQUIRE(divided(number, divisor) == number / divisor);
        }
    }
}

TEST_CASE("an image's group_norm is planned alike in every batch, and wastes no bytes on the sizes of SD")
{
    for (const std::int64_t channels : {320, 640, 960, 1'280, 1'920, 2'560, 128, 256, 512}) {
        for (const std::int64_t pixels : {64, 256, 1'024, 4'096, 16'384, 1'048'576}) {
            const auto plan = sdfleet::kernels::cuda::plan_group_norm(ElementType::float16, pixels, channels, 32);
            CAPTURE(channels, pixels);
            REQUIRE(plan.way != Way::any_shape);
            REQUIRE(plan.columns * 16 >= (plan.way == Way::resident ? 64 : 128));
            REQUIRE(32 % plan.groups_per_slice == 0);
            if (plan.way == Way::two_passes) {
                REQUIRE(plan.parts <= sdfleet::kernels::cuda::max_parts);
                REQUIRE((plan.parts - 1) * plan.pixels_per_part < pixels);
                REQUIRE(plan.parts * plan.pixels_per_part >= pixels);
            }
        }
    }
}

TEST_CASE("threads that wait for others that have ended are found")
{
    BlockOfFibers block(64, [] { BlockOfFibers::current().wait_for_block(); });
    REQUIRE_NOTHROW(block.run([](unsigned) {}));

    unsigned thread = 0;
    BlockOfFibers divided_block(64, [&] {
        if (thread != 5) {
            BlockOfFibers::current().wait_for_block();
        }
    });
    REQUIRE_THROWS_AS(divided_block.run([&](unsigned next) { thread = next; }), std::logic_error);
}
