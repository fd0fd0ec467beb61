// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kernels/tensors.hpp"

#include <limits>

#include <ATen/ops/clamp.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_nearest2d.h>

using namespace sdfleet::kernels;

namespace {

/// ATen's nearest-exact rule is another one; its `nearest` computes the source in fp32, exactly for these sizes.
at::Tensor upsampled(const at::Tensor& input, std::int64_t height, std::int64_t width)
{
    return at::upsample_nearest2d(input.permute({0, 3, 1, 2}).to(at::kFloat), {height, width})
        .permute({0, 2, 3, 1})
        .to(input.scalar_type())
        .contiguous();
}

Status upsample(const at::Tensor& input, at::Tensor& output)
{
    return cpu_kernels().upsample_nearest({.type = element_type(input.scalar_type()),
                                           .input = input.const_data_ptr(),
                                           .output = output.mutable_data_ptr(),
                                           .batch = input.size(0),
                                           .height = input.size(1),
                                           .width = input.size(2),
                                           .channels = input.size(3),
                                           .output_height = output.size(1),
                                           .output_width = output.size(2)},
                                          nullptr);
}

at::Tensor image_bytes(const at::Tensor& input)
{
    at::Tensor output = at::empty(input.sizes(), at::kByte);
    REQUIRE(cpu_kernels().image_bytes({.type = element_type(input.scalar_type()),
                                       .input = input.const_data_ptr(),
                                       .output = output.mutable_data_ptr<std::uint8_t>(),
                                       .pixels = input.size(0),
                                       .channels = input.size(1)},
                                      nullptr) == Status::done);
    return output;
}

} // namespace

TEST_CASE("geglu is the values times the gelu of the gates")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t features : {1'280, 2'560, 5'120, 1, 13}) {
            const at::Tensor input = random({6, 2 * features}, type, 0.0);
            at::Tensor output = at::empty({6, features}, type);

            REQUIRE(cpu_kernels().geglu({.type = element_type(type),
                                         .input = input.const_data_ptr(),
                                         .output = output.mutable_data_ptr(),
                                         .rows = 6,
                                         .features = features},
                                        nullptr) == Status::done);

            const auto halves = input.to(at::kDouble).chunk(2, 1);
            check_equal(output, halves[0] * at::gelu(halves[1]));
        }
    }
}

TEST_CASE("bias_residual adds what there is, and may write over either input")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t channels : {320, 1'280, 1, 7}) {
            for (const int present : {0, 1, 2, 3}) {
                const at::Tensor input = random({9, channels}, type);
                const at::Tensor bias = random({channels}, type);
                const at::Tensor residual = random({9, channels}, type);
                at::Tensor exact = input.to(at::kDouble);
                exact = (present & 1) != 0 ? exact + bias.to(at::kDouble) : exact;
                exact = (present & 2) != 0 ? exact + residual.to(at::kDouble) : exact;

                for (at::Tensor output : {at::empty_like(input), residual, input}) {
                    if (output.is_same(residual) && (present & 2) == 0) {
                        continue;
                    }
                    const at::Tensor kept = residual.clone();
                    REQUIRE(cpu_kernels().bias_residual(
                                {.type = element_type(type),
                                 .input = input.const_data_ptr(),
                                 .bias = (present & 1) != 0 ? bias.const_data_ptr() : nullptr,
                                 .residual = (present & 2) != 0 ? residual.const_data_ptr() : nullptr,
                                 .output = output.mutable_data_ptr(),
                                 .rows = 9,
                                 .channels = channels},
                                nullptr) == Status::done);
                    check_equal(output, exact);
                    residual.copy_(kept);
                }
            }
        }
    }
}

TEST_CASE("upsample_nearest repeats pixels as ATen's nearest does")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t channels : {320, 8, 3}) {
            const at::Tensor input = random({2, 5, 7, channels}, type);
            for (const auto& [height, width] : {std::pair{10, 14}, {5, 7}, {9, 13}, {11, 29}, {5, 14}}) {
                at::Tensor output = at::empty({2, height, width, channels}, type);

                REQUIRE(upsample(input, output) == Status::done);

                REQUIRE(output.equal(upsampled(input, height, width)));
            }
        }
    }
}

TEST_CASE("upsample_nearest does not make images smaller")
{
    const at::Tensor input = at::empty({1, 8, 8, 4});
    at::Tensor low = at::empty({1, 7, 8, 4});
    at::Tensor narrow = at::empty({1, 8, 7, 4});

    REQUIRE(upsample(input, low) == Status::invalid);
    REQUIRE(upsample(input, narrow) == Status::invalid);
}

TEST_CASE("image_bytes rounds as ATen does")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t pixels : {1, 5, 4'096}) {
            const at::Tensor input = random({pixels, 3}, type, 0.0);
            const at::Tensor exact = (at::clamp(input.to(at::kFloat) / 2 + 0.5, 0, 1) * 255).round().to(at::kByte);
            REQUIRE(image_bytes(input).equal(exact));
        }
    }
}

TEST_CASE("image_bytes: halves go to the even byte, beyond the range is the end of it, what is not a number is black")
{
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor input =
        at::tensor({0.0f, -1.0f, 1.0f, -infinity, infinity, not_a_number, -not_a_number, 1e30f, -1e30f})
            .reshape({9, 1});
    const at::Tensor bytes = image_bytes(input);
    const std::vector<std::uint8_t> expected = {128, 0, 255, 0, 255, 0, 0, 255, 0}; // 127.5 goes to 128
    REQUIRE(std::vector<std::uint8_t>(bytes.const_data_ptr<std::uint8_t>(), bytes.const_data_ptr<std::uint8_t>() + 9) ==
            expected);
}

TEST_CASE("image_bytes takes any place in memory")
{
    at::manual_seed(seed);
    const at::Tensor input = random({101, 3}, at::kHalf, 0.0);
    at::Tensor bytes = at::empty({302}, at::kByte);

    // One element further, and to an odd address.
    REQUIRE(cpu_kernels().image_bytes({.type = ElementType::float16,
                                       .input = input.const_data_ptr<at::Half>() + 1,
                                       .output = bytes.mutable_data_ptr<std::uint8_t>() + 1,
                                       .pixels = 301,
                                       .channels = 1},
                                      nullptr) == Status::done);

    REQUIRE(bytes.narrow(0, 1, 301).equal(image_bytes(input).flatten().narrow(0, 1, 301)));
}
