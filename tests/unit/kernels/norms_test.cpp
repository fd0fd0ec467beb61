// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kernels/tensors.hpp"

#include <vector>

#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/silu.h>

using namespace sdfleet::kernels;

namespace {

struct GroupNormCase {
    std::int64_t batch, pixels, channels, groups;
    std::int64_t bias_rows = 0; ///< 0: no row_bias
    std::int64_t bias_gap = 0;  ///< elements between the rows of row_bias
    bool silu = false;
};

/// The channels of SD 1.5, SDXL and their VAEs, and sizes that divide by nothing.
const std::vector<GroupNormCase> group_norm_cases = {{2, 64, 320, 32, 1, 0, true},
                                                     {2, 16, 640, 32, 2, 0, true},
                                                     {2, 4, 1'280, 32, 2, 5'120, true},
                                                     {1, 4, 1'920, 32},
                                                     {2, 4, 2'560, 32, 1, 0, true},
                                                     {1, 64, 960, 32},
                                                     {1, 256, 128, 32, 0, 0, true},
                                                     {1, 64, 512, 32},
                                                     {3, 35, 21, 7, 3, 3, true},
                                                     {2, 1, 6, 3},
                                                     {1, 1'000, 5, 5, 1},
                                                     {2, 77, 12, 1, 0, 0, true},
                                                     {1, 3, 1, 1}};

at::Tensor row_bias_of(const GroupNormCase& sizes, at::ScalarType type)
{
    return random({sizes.bias_rows, sizes.channels + sizes.bias_gap}, type).narrow(1, 0, sizes.channels);
}

struct GroupNormInputs {
    GroupNormInputs(const GroupNormCase& of, at::ScalarType type, double mean = 0.5)
        : sizes(of), input(random({of.batch, of.pixels, of.channels}, type, mean)), weight(random({of.channels}, type)),
          bias(random({of.channels}, type))
    {
        if (of.bias_rows > 0) {
            row_bias = row_bias_of(of, type);
        }
    }

    Status run(at::Tensor& output) const
    {
        const KernelTable& table = cpu_kernels();
        const std::int64_t bytes =
            table.group_norm_workspace_bytes(sizes.batch, sizes.pixels, sizes.channels, sizes.groups);
        const at::Tensor workspace = at::empty({bytes}, at::kByte);
        return table.group_norm({.type = element_type(input.scalar_type()),
                                 .input = input.const_data_ptr(),
                                 .row_bias = row_bias.defined() ? row_bias.const_data_ptr() : nullptr,
                                 .bias_rows = sizes.bias_rows,
                                 .bias_stride = sizes.channels + sizes.bias_gap,
                                 .weight = weight.const_data_ptr(),
                                 .bias = bias.const_data_ptr(),
                                 .output = output.mutable_data_ptr(),
                                 .workspace = workspace.mutable_data_ptr(),
                                 .batch = sizes.batch,
                                 .pixels = sizes.pixels,
                                 .channels = sizes.channels,
                                 .groups = sizes.groups,
                                 .eps = 1e-5f,
                                 .silu = sizes.silu},
                                nullptr);
    }

    at::Tensor exact() const
    {
        at::Tensor wide = input.to(at::kDouble);
        if (row_bias.defined()) {
            wide = wide + row_bias.to(at::kDouble).unsqueeze(1);
        }
        const at::Tensor normalised = at::group_norm(wide.transpose(1, 2), sizes.groups, weight.to(at::kDouble),
                                                     bias.to(at::kDouble), static_cast<double>(1e-5f));
        return (sizes.silu ? at::silu(normalised) : normalised).transpose(1, 2);
    }

    GroupNormCase sizes;
    at::Tensor input, weight, bias, row_bias;
};

struct LayerNormInputs {
    LayerNormInputs(std::int64_t rows, std::int64_t features, at::ScalarType type)
        : input(random({rows, features}, type)), residual(random({rows, features}, type)),
          weight(random({features}, type)), bias(random({features}, type))
    {
    }

    Status run(bool add, at::Tensor* sum, at::Tensor& output) const
    {
        return cpu_kernels().layer_norm({.type = element_type(input.scalar_type()),
                                         .input = input.const_data_ptr(),
                                         .residual = add ? residual.const_data_ptr() : nullptr,
                                         .weight = weight.const_data_ptr(),
                                         .bias = bias.const_data_ptr(),
                                         .sum = sum != nullptr ? sum->mutable_data_ptr() : nullptr,
                                         .output = output.mutable_data_ptr(),
                                         .rows = input.size(0),
                                         .features = input.size(1),
                                         .eps = 1e-5f},
                                        nullptr);
    }

    at::Tensor rounded_sum() const { return (input.to(at::kFloat) + residual.to(at::kFloat)).to(input.scalar_type()); }

    at::Tensor exact(const at::Tensor& of) const
    {
        return at::layer_norm(of.to(at::kDouble), {of.size(1)}, weight.to(at::kDouble), bias.to(at::kDouble),
                              static_cast<double>(1e-5f));
    }

    at::Tensor input, residual, weight, bias;
};

} // namespace

TEST_CASE("group_norm agrees with ATen's, with and without a bias of its own and SiLU")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const auto& sizes : group_norm_cases) {
            const GroupNormInputs inputs(sizes, type);
            at::Tensor output = at::empty_like(inputs.input);

            REQUIRE(inputs.run(output) == Status::done);

            CAPTURE(sizes.pixels, sizes.channels, sizes.groups);
            check_equal(output, inputs.exact());
        }
    }
}

TEST_CASE("group_norm may write over its input")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        GroupNormInputs inputs({2, 33, 320, 32, 1, 0, true}, type);
        const at::Tensor exact = inputs.exact();

        REQUIRE(inputs.run(inputs.input) == Status::done);

        check_equal(inputs.input, exact);
    }
}

TEST_CASE("group_norm keeps its digits where the mean is far from 0")
{
    at::manual_seed(seed);
    const GroupNormInputs inputs({1, 500, 64, 8}, at::kHalf, 1'000.0);
    at::Tensor output = at::empty_like(inputs.input);

    REQUIRE(inputs.run(output) == Status::done);

    const auto worst = (output.to(at::kDouble) - inputs.exact()).abs().max().item<double>();
    REQUIRE(worst < 1e-2); // of values up to 10, in steps of 1/128: fp16's own
}

TEST_CASE("a picture's group_norm does not depend on its neighbours")
{
    at::manual_seed(seed);
    GroupNormInputs three({3, 100, 320, 32, 0, 0, true}, at::kHalf);
    at::Tensor together = at::empty_like(three.input);
    REQUIRE(three.run(together) == Status::done);

    three.sizes.batch = 1;
    three.input = three.input[1].unsqueeze(0).clone();
    at::Tensor alone = at::empty_like(three.input);
    REQUIRE(three.run(alone) == Status::done);

    REQUIRE(alone[0].equal(together[1]));
}

TEST_CASE("layer_norm agrees with ATen's, and with that of the rounded sum where there is a residual")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t features : {320, 640, 768, 1'280, 1, 3, 77, 4'099}) {
            const LayerNormInputs inputs(5, features, type);
            at::Tensor plain = at::empty_like(inputs.input);
            at::Tensor added = at::empty_like(inputs.input);
            at::Tensor with_sum = at::empty_like(inputs.input);
            at::Tensor sum = at::empty_like(inputs.input);

            REQUIRE(inputs.run(false, nullptr, plain) == Status::done);
            REQUIRE(inputs.run(true, nullptr, added) == Status::done);
            REQUIRE(inputs.run(true, &sum, with_sum) == Status::done);

            CAPTURE(features);
            check_equal(plain, inputs.exact(inputs.input));
            check_equal(added, inputs.exact(inputs.rounded_sum()));
            REQUIRE(sum.equal(inputs.rounded_sum()));
            REQUIRE(with_sum.equal(added));
        }
    }
}

TEST_CASE("layer_norm may write over its inputs")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        LayerNormInputs inputs(7, 321, type);
        const at::Tensor sum = inputs.rounded_sum();
        const at::Tensor exact = inputs.exact(sum);

        REQUIRE(inputs.run(true, &inputs.residual, inputs.input) == Status::done);

        REQUIRE(inputs.residual.equal(sum));
        check_equal(inputs.input, exact);
    }
}

TEST_CASE("layer_norm without a residual copies its input to the sum")
{
    at::manual_seed(seed);
    const LayerNormInputs inputs(4, 20, at::kBFloat16);
    at::Tensor output = at::empty_like(inputs.input);
    at::Tensor sum = at::empty_like(inputs.input);

    REQUIRE(inputs.run(false, &sum, output) == Status::done);

    REQUIRE(sum.equal(inputs.input));
}
