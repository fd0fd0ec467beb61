// SPDX-License-Identifier: Apache-2.0
#include "pipeline/layers.hpp"

#include "tests/catch.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <c10/core/InferenceMode.h>

// Torch has a CHECK of its own, which would count nothing here.
using namespace sdfleet;

TEST_CASE("a convolution of a large image, which is done in strips, is the convolution of the whole")
{
    const c10::InferenceMode inference;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
    const auto random = [&](at::IntArrayRef shape) {
        return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat));
    };
    pipeline::Conv2d conv;
    conv.weight = random({3, 24, 3, 3});
    conv.bias = random({3});
    conv.stride = 1;
    conv.padding = 1;
    for (const std::int64_t height :
         {601, 1000, 1001}) { // strips of different heights, the last one a single row or more
        CAPTURE(height);
        const at::Tensor image = random({1, 24, height, 613});
        const at::Tensor whole = at::conv2d(image, conv.weight, conv.bias, 1, 1);
        REQUIRE(at::allclose(conv(image), whole, 1e-5, 1e-5));
    }
    pipeline::Conv2d square = conv;
    square.weight = random({24, 24, 3, 3});
    square.bias = random({24});
    for (const pipeline::Conv2d* one : {&conv, &square}) {
        const at::Tensor image = random({1, 24, 601, 613});
        const at::Tensor before = image.clone();
        const at::Tensor whole = at::conv2d(image, one->weight, one->bias, 1, 1);
        REQUIRE(at::allclose(one->consume(image), whole, 1e-5, 1e-4)); // ours too: not overwritten
        REQUIRE(at::equal(image, before));
        REQUIRE(at::allclose(one->consume(image.clone()), whole, 1e-5, 1e-4));
    }
    for (const std::int64_t height : {301, 512}) {
        CAPTURE(height);
        const at::Tensor image = random({1, 24, height, 307});
        const at::Tensor large = at::upsample_nearest2d(image, {2 * height, 614});
        REQUIRE(at::allclose(conv.of_upsampled(image), at::conv2d(large, conv.weight, conv.bias, 1, 1), 1e-5, 1e-5));
    }
}

TEST_CASE("a normalisation that overwrites its input is the same, and spares an input that others hold")
{
    const c10::InferenceMode inference;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(2);
    const auto fp32 = at::TensorOptions().dtype(at::kFloat);
    const pipeline::GroupNorm norm{at::randn({24}, generator, fp32), at::randn({24}, generator, fp32), 4, 1e-5};
    const at::Tensor image = at::randn({1, 24, 600, 613}, generator, fp32);
    const at::Tensor before = image.clone();
    const at::Tensor wanted = norm(image);
    REQUIRE(at::allclose(norm.consume(image), wanted, 1e-5, 1e-5));
    REQUIRE(at::equal(image, before));
    REQUIRE(at::allclose(norm.consume(image.clone()), wanted, 1e-5, 1e-5));
}
