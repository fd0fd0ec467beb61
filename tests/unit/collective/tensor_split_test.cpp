// SPDX-License-Identifier: Apache-2.0
#include "collective/tensor_split.hpp"

#include "tests/catch.hpp"

#include <fstream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

using namespace sdfleet::collective;

namespace {

/// Rows of two numbers.
at::Tensor tensor_of(const nlohmann::json& rows)
{
    auto tensor = at::empty({static_cast<std::int64_t>(rows.size()), 2}, at::kLong);
    auto* numbers = tensor.mutable_data_ptr<std::int64_t>();
    for (const auto& row : rows) {
        *numbers++ = row[0];
        *numbers++ = row[1];
    }
    return tensor;
}

} // namespace

TEST_CASE("rows of a tensor are split as accelerate splits them, with padding and without")
{
    std::ifstream file(SDFLEET_SOURCE_DIR "/tests/parity/golden/split.json");
    const auto recorded = nlohmann::json::parse(file);
    int tensors = 0;
    for (const auto& golden : recorded["cases"]) {
        if (golden["kind"] != "tensor") {
            continue;
        }
        ++tensors;
        const auto rows = tensor_of(golden["items"]);
        const auto world_size = static_cast<std::uint32_t>(golden["shares"].size());
        for (std::uint32_t rank = 0; rank < world_size; ++rank) {
            INFO(golden << " rank " << rank);
            const auto mine = take(rows, world_size, rank, golden["padding"] ? apply_padding : Padding::none);
            REQUIRE(mine.value().equal(tensor_of(golden["shares"][rank])));
        }
    }
    REQUIRE(tensors > 50);
}

TEST_CASE("the last row is repeated whatever a row is")
{
    const auto numbers = at::arange(3);
    REQUIRE(take(numbers, 2, 1, apply_padding)->equal(at::full({2}, 2)));
    const auto pictures = at::arange(5 * 3 * 4 * 4).reshape({5, 3, 4, 4}).to(at::kHalf);
    REQUIRE(take(pictures, 7, 6, apply_padding)->equal(pictures.slice(0, 4)));
    REQUIRE(take(at::empty({0, 3}), 2, 1, apply_padding)->sizes() == at::IntArrayRef({0, 3}));
}

TEST_CASE("a tensor without dimensions has no rows to split")
{
    for (const auto& tensor : {at::Tensor(), at::ones({})}) {
        const auto mine = take(tensor, 2, 0, Padding::none);
        REQUIRE(std::holds_alternative<InvalidArgument>(mine.error().cause));
    }
}
