// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recorded_function.hpp"

#include "tests/unit/pipeline/replayed_work.hpp"

#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#undef CHECK // c10's logging defines one, too
#include "tests/catch.hpp"

using namespace sdfleet;
using pipeline::RecordedFunction;

namespace {

std::vector<at::Tensor> twice_and_square(const at::Tensor& input)
{
    return {input * 2, input * input};
}

} // namespace

TEST_CASE("a function is recorded once for each shape and tag, and replayed with new numbers")
{
    test::ReplayingRecorder recording;
    RecordedFunction function(recording.recorder());

    for (const double value : {1.0, 3.0, 5.0}) {
        const auto results = function(0, at::full({2, 2}, value), twice_and_square);
        CHECK(at::equal(results[0], at::full({2, 2}, 2 * value)));
        CHECK(at::equal(results[1], at::full({2, 2}, value * value)));
    }
    CHECK(recording.recordings == 1);

    function(0, at::full({3, 2}, 1.0), twice_and_square);
    function(1, at::full({2, 2}, 1.0), twice_and_square);
    CHECK(recording.recordings == 3);
    CHECK(recording.replays == 5);
}

TEST_CASE("the caller's tensor is its own: it may change it after the call")
{
    test::ReplayingRecorder recording;
    RecordedFunction function(recording.recorder());
    const at::Tensor mine = at::full({2}, 4.0);
    const auto results = function(0, mine, twice_and_square);

    mine.fill_(9);

    CHECK(at::equal(results[0], at::full({2}, 8.0)));
}

TEST_CASE("the recordings of the latest shapes are kept, no more")
{
    test::ReplayingRecorder recording;
    RecordedFunction function(recording.recorder());
    constexpr int shapes = static_cast<int>(RecordedFunction::max_kept) + 1;
    for (int i = 1; i <= shapes; ++i) {
        function(0, at::full({i}, 1.0), twice_and_square);
    }
    CHECK(function.kept() == RecordedFunction::max_kept);

    function(0, at::full({shapes}, 1.0), twice_and_square);
    CHECK(recording.recordings == shapes);
    function(0, at::full({1}, 1.0), twice_and_square);
    CHECK(recording.recordings == shapes + 1);
}

TEST_CASE("what could not be recorded is not there")
{
    RecordedFunction function([](const std::function<void()>& work) -> std::unique_ptr<pipeline::RecordedWork> {
        work();
        throw std::runtime_error("out of memory");
    });

    CHECK_THROWS_AS(function(0, at::full({2}, 1.0), twice_and_square), std::runtime_error);

    CHECK(function.kept() == 0);
}

TEST_CASE("without a recorder it is the function itself")
{
    RecordedFunction function;

    CHECK(at::equal(function(0, at::full({2}, 3.0), twice_and_square)[1], at::full({2}, 9.0)));
    CHECK(function.kept() == 0);
}
