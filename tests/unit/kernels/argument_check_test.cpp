// SPDX-License-Identifier: Apache-2.0
// What a kernel must refuse, for whoever implements it: everything that would read or write where nothing is.
#include "kernels/cpu_kernels.hpp"

#include "tests/catch.hpp"

#include <functional>
#include <limits>
#include <vector>

using namespace sdfleet::kernels;

namespace {

constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
const std::vector<std::int64_t> bad_sizes = {
    0, -1, huge, std::numeric_limits<std::int64_t>::min(), huge / 2 + 1, std::int64_t{1} << 31};

/// Room for every argument of the valid calls below.
struct Room {
    alignas(16) std::byte bytes[8][4'096] = {};
    void* array(std::size_t index) { return bytes[index]; }
    float* floats(std::size_t index) { return reinterpret_cast<float*>(bytes[index]); }
    void* crooked(std::size_t index) { return bytes[index] + 1; }
};

/// `spoil` makes valid arguments invalid; sees that they are refused, and that they were valid before.
template <class Arguments>
void check_refused(Status (*kernel)(const Arguments&, Queue), const Arguments& valid,
                   const std::vector<std::function<void(Arguments&)>>& spoilers)
{
    REQUIRE(kernel(valid, nullptr) == Status::done);
    for (std::size_t i = 0; i < spoilers.size(); ++i) {
        Arguments spoilt = valid;
        spoilers[i](spoilt);
        INFO("spoiler " << i);
        REQUIRE(kernel(spoilt, nullptr) == Status::invalid);
    }
}

template <class Arguments>
void check_sizes(Status (*kernel)(const Arguments&, Queue), const Arguments& valid,
                 const std::vector<std::int64_t Arguments::*>& sizes)
{
    for (const auto size : sizes) {
        for (const std::int64_t bad : bad_sizes) {
            Arguments spoilt = valid;
            spoilt.*size = bad;
            INFO("size " << bad);
            REQUIRE(kernel(spoilt, nullptr) == Status::invalid);
        }
    }
    Arguments spoilt = valid;
    spoilt.type = static_cast<ElementType>(3);
    REQUIRE(kernel(spoilt, nullptr) == Status::invalid);
}

} // namespace

TEST_CASE("group_norm refuses what it cannot do")
{
    Room room;
    using Arguments = GroupNormArguments;
    const auto& table = cpu_kernels();
    const Arguments valid{.type = ElementType::float32,
                          .input = room.array(0),
                          .row_bias = room.array(1),
                          .bias_rows = 2,
                          .bias_stride = 16,
                          .weight = room.array(2),
                          .bias = room.array(3),
                          .output = room.array(4),
                          .workspace = room.array(5),
                          .batch = 2,
                          .pixels = 4,
                          .channels = 16,
                          .groups = 4,
                          .eps = 0,
                          .silu = true};
    check_sizes(table.group_norm, valid,
                {&Arguments::batch, &Arguments::pixels, &Arguments::channels, &Arguments::groups});
    check_refused<Arguments>(
        table.group_norm, valid,
        {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.weight = nullptr; }, [](auto& a) { a.bias = nullptr; },
         [](auto& a) { a.output = nullptr; }, [](auto& a) { a.workspace = nullptr; }, [](auto& a) { a.groups = 3; },
         [](auto& a) { a.groups = 32; }, [](auto& a) { a.bias_rows = 3; }, [](auto& a) { a.bias_rows = 0; },
         [](auto& a) { a.bias_stride = 15; }, [](auto& a) { a.eps = -1e-5f; },
         [](auto& a) { a.eps = std::numeric_limits<float>::quiet_NaN(); }, [&](auto& a) { a.input = room.crooked(0); },
         [&](auto& a) { a.row_bias = room.crooked(1); }, [&](auto& a) { a.output = room.floats(0) + 4; }});
    REQUIRE(table.group_norm_workspace_bytes(2, 4, 16, 3) == 0);
    REQUIRE(table.group_norm_workspace_bytes(huge, huge, huge, 1) == 0);
    REQUIRE(table.group_norm_workspace_bytes(2, 4, 16, 4) > 0);
}

TEST_CASE("layer_norm refuses what it cannot do")
{
    Room room;
    using Arguments = LayerNormArguments;
    const Arguments valid{.type = ElementType::float16,
                          .input = room.array(0),
                          .residual = room.array(1),
                          .weight = room.array(2),
                          .bias = room.array(3),
                          .sum = room.array(4),
                          .output = room.array(5),
                          .rows = 3,
                          .features = 24,
                          .eps = 1e-5f};
    check_sizes(cpu_kernels().layer_norm, valid, {&Arguments::rows, &Arguments::features});
    check_refused<Arguments>(
        cpu_kernels().layer_norm, valid,
        {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.weight = nullptr; }, [](auto& a) { a.bias = nullptr; },
         [](auto& a) { a.output = nullptr; }, [](auto& a) { a.eps = -1; }, [](auto& a) { a.sum = a.output; },
         [&](auto& a) { a.residual = room.crooked(1); }, [&](auto& a) { a.sum = room.floats(1) + 4; },
         [&](auto& a) { a.output = room.floats(0) + 4; }});
}

TEST_CASE("geglu refuses what it cannot do, output over input included")
{
    Room room;
    using Arguments = GegluArguments;
    const Arguments valid{
        .type = ElementType::bfloat16, .input = room.array(0), .output = room.array(1), .rows = 3, .features = 24};
    check_sizes(cpu_kernels().geglu, valid, {&Arguments::rows, &Arguments::features});
    check_refused<Arguments>(cpu_kernels().geglu, valid,
                             {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.output = nullptr; },
                              [&](auto& a) { a.output = room.array(0); }, [&](auto& a) { a.input = room.crooked(0); }});
}

TEST_CASE("bias_residual refuses what it cannot do")
{
    Room room;
    using Arguments = BiasResidualArguments;
    const Arguments valid{.type = ElementType::float32,
                          .input = room.array(0),
                          .bias = room.array(1),
                          .residual = room.array(2),
                          .output = room.array(3),
                          .rows = 3,
                          .channels = 24};
    check_sizes(cpu_kernels().bias_residual, valid, {&Arguments::rows, &Arguments::channels});
    check_refused<Arguments>(cpu_kernels().bias_residual, valid,
                             {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.output = nullptr; },
                              [&](auto& a) { a.bias = room.crooked(1); },
                              [&](auto& a) { a.output = room.floats(2) + 4; }});
}

TEST_CASE("upsample_nearest refuses what it cannot do, output over input included")
{
    Room room;
    using Arguments = UpsampleArguments;
    const Arguments valid{.type = ElementType::float32,
                          .input = room.array(0),
                          .output = room.array(1),
                          .batch = 1,
                          .height = 3,
                          .width = 3,
                          .channels = 4,
                          .output_height = 6,
                          .output_width = 6};
    check_sizes(cpu_kernels().upsample_nearest, valid,
                {&Arguments::batch, &Arguments::height, &Arguments::width, &Arguments::channels,
                 &Arguments::output_height, &Arguments::output_width});
    check_refused<Arguments>(cpu_kernels().upsample_nearest, valid,
                             {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.output = nullptr; },
                              [&](auto& a) { a.output = room.array(0); }, [](auto& a) { a.output_width = 2; }});
}

TEST_CASE("model_input refuses what it cannot do")
{
    Room room;
    using Arguments = ModelInputArguments;
    std::vector<const float*> rows(max_sample_rows + 1, room.floats(0));
    const std::vector<float> scale(max_sample_rows + 1, 1.0f);
    const std::vector<const float*> with_null = {room.floats(0), nullptr};
    const std::vector<const float*> crooked = {room.floats(0), static_cast<const float*>(room.crooked(0))};
    const Arguments valid{.type = ElementType::float32,
                          .rows = rows.data(),
                          .more = rows.data(),
                          .scale = scale.data(),
                          .output = room.array(2),
                          .batch = 2,
                          .pixels = 16,
                          .channels = 4,
                          .more_channels = 5,
                          .copies = 2};
    check_sizes(cpu_kernels().model_input, valid,
                {&Arguments::batch, &Arguments::pixels, &Arguments::channels, &Arguments::copies});
    check_refused<Arguments>(cpu_kernels().model_input, valid,
                             {[](auto& a) { a.rows = nullptr; }, [](auto& a) { a.more = nullptr; },
                              [](auto& a) { a.scale = nullptr; }, [](auto& a) { a.output = nullptr; },
                              [](auto& a) { a.copies = 3; }, [](auto& a) { a.batch = max_sample_rows + 1; },
                              [](auto& a) { a.more_channels = -1; }, [](auto& a) { a.more_channels = huge; },
                              [&](auto& a) { a.rows = with_null.data(); }, [&](auto& a) { a.more = with_null.data(); },
                              [&](auto& a) { a.rows = crooked.data(); }});
}

TEST_CASE("sample_update refuses what it cannot do")
{
    Room room;
    using Arguments = SampleUpdateArguments;
    std::vector<SampleRow> rows(max_sample_rows + 1);
    for (SampleRow& row : rows) {
        row.terms = 2;
        row.term[1] = room.floats(0);
        row.result = room.floats(1);
    }
    const Arguments valid{.type = ElementType::float32,
                          .model_output = room.array(2),
                          .rows = rows.data(),
                          .batch = 2,
                          .pixels = 16,
                          .channels = 4,
                          .copies = 2};
    check_sizes(cpu_kernels().sample_update, valid,
                {&Arguments::batch, &Arguments::pixels, &Arguments::channels, &Arguments::copies});
    check_refused<Arguments>(cpu_kernels().sample_update, valid,
                             {[](auto& a) { a.model_output = nullptr; }, [](auto& a) { a.rows = nullptr; },
                              [](auto& a) { a.copies = 3; }, [](auto& a) { a.batch = max_sample_rows + 1; }});

    const std::vector<std::function<void(SampleRow&)>> spoilers = {
        [](auto& row) { row.terms = 0; },
        [](auto& row) { row.terms = max_sample_terms + 1; },
        [](auto& row) { row.term[1] = nullptr; },
        [](auto& row) { row.terms = 3; },
        [&](auto& row) { row.result = static_cast<float*>(room.crooked(1)); },
        [&](auto& row) { row.prediction = static_cast<float*>(room.crooked(1)); }};
    for (const auto& spoil : spoilers) {
        auto spoilt = rows;
        spoil(spoilt[1]);
        Arguments arguments = valid;
        arguments.rows = spoilt.data();
        REQUIRE(cpu_kernels().sample_update(arguments, nullptr) == Status::invalid);
    }
}

TEST_CASE("image_bytes refuses what it cannot do")
{
    Room room;
    using Arguments = ImageBytesArguments;
    const Arguments valid{.type = ElementType::float16,
                          .input = room.array(0),
                          .output = static_cast<std::uint8_t*>(room.array(1)),
                          .pixels = 100,
                          .channels = 3};
    check_sizes(cpu_kernels().image_bytes, valid, {&Arguments::pixels, &Arguments::channels});
    check_refused<Arguments>(cpu_kernels().image_bytes, valid,
                             {[](auto& a) { a.input = nullptr; }, [](auto& a) { a.output = nullptr; },
                              [&](auto& a) { a.input = room.crooked(0); },
                              [&](auto& a) { a.output = static_cast<std::uint8_t*>(room.array(0)); }});
}
