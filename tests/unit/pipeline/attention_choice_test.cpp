// SPDX-License-Identifier: Apache-2.0
#include "pipeline/attention_choice.hpp"

#include <stdexcept>
#include <vector>

#include <ATen/ops/allclose.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet::pipeline;

TEST_CASE("the fastest of several is the one with the smallest time; what throws is out")
{
    const std::vector<double> times{4, 2, 3};
    CHECK(fastest(3, [&](std::size_t i) { return times[i]; }) == 1);

    CHECK(fastest(3, [&](std::size_t i) { return i == 1 ? throw std::runtime_error("not this shape") : times[i]; }) ==
          2);

    CHECK(fastest(3, [](std::size_t) -> double { throw std::runtime_error("none"); }) == 0);
}

TEST_CASE("on the CPU nothing is measured")
{
    const auto q = at::randn({1, 2, 5, 8});
    const auto k = at::randn({1, 2, 3, 8});
    AttentionChoice attention;

    const auto mixed = attention(q, k, k);

    CHECK(at::allclose(mixed, at::scaled_dot_product_attention(q, k, k)));
    CHECK(attention.chosen().empty());
}
