// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/kernels/tensors.hpp"

#include <vector>

#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>

using namespace sdfleet::kernels;

namespace {

const float* data(const at::Tensor& tensor)
{
    return tensor.const_data_ptr<float>();
}

at::Tensor channels_first(const at::Tensor& tensor) // of [rows, pixels, channels]
{
    return tensor.transpose(1, 2).to(at::kDouble).contiguous();
}

/// A row with everything: three terms, a result and a prediction.
struct Row {
    Row(std::int64_t pixels, std::int64_t channels)
        : sample(at::randn({channels, pixels})), older(at::randn({channels, pixels})), result(at::empty_like(sample)),
          prediction(at::empty_like(sample))
    {
    }

    SampleRow numbers(float guidance)
    {
        SampleRow row{.guidance = guidance,
                      .terms = 3,
                      .factor = {0.25f, -1.5f, 0.75f},
                      .term = {},
                      .result = nullptr,
                      .prediction = nullptr};
        row.term[1] = data(sample);
        row.term[2] = data(older);
        row.result = result.mutable_data_ptr<float>();
        row.prediction = prediction.mutable_data_ptr<float>();
        return row;
    }

    at::Tensor exact(const at::Tensor& guided) const
    {
        return 0.25 * guided - 1.5 * sample.to(at::kDouble) + 0.75 * older.to(at::kDouble);
    }

    at::Tensor sample, older, result, prediction;
};

Status update(const at::Tensor& model_output, std::int64_t copies, const std::vector<SampleRow>& rows)
{
    return cpu_kernels().sample_update({.type = element_type(model_output.scalar_type()),
                                        .model_output = model_output.const_data_ptr(),
                                        .rows = rows.data(),
                                        .batch = static_cast<std::int64_t>(rows.size()),
                                        .pixels = model_output.size(1),
                                        .channels = model_output.size(2),
                                        .copies = copies},
                                       nullptr);
}

} // namespace

TEST_CASE("model_input scales each row by its own factor, turns it to NHWC and repeats all rows for guidance")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t more_channels : {0, 5}) {
            for (const std::int64_t copies : {1, 2}) {
                const at::Tensor latents = at::randn({3, 4, 35});
                const at::Tensor more = at::randn({3, 5, 35});
                const std::vector<const float*> rows = {data(latents[2]), data(latents[0]), data(latents[1])};
                const std::vector<const float*> more_rows = {data(more[0]), data(more[1]), data(more[2])};
                const std::vector<float> scale = {0.5f, 3.0f, 1.0f};
                at::Tensor output = at::empty({copies * 3, 35, 4 + more_channels}, type);

                REQUIRE(cpu_kernels().model_input({.type = element_type(type),
                                                   .rows = rows.data(),
                                                   .more = more_channels > 0 ? more_rows.data() : nullptr,
                                                   .scale = scale.data(),
                                                   .output = output.mutable_data_ptr(),
                                                   .batch = 3,
                                                   .pixels = 35,
                                                   .channels = 4,
                                                   .more_channels = more_channels,
                                                   .copies = copies},
                                                  nullptr) == Status::done);

                at::Tensor exact = at::cat({latents[2] * 0.5, latents[0] * 3.0, latents[1]}).reshape({3, 4, 35});
                if (more_channels > 0) {
                    exact = at::cat({exact, more}, 1);
                }
                exact = copies == 2 ? at::cat({exact, exact}) : exact;
                REQUIRE(output.equal(exact.transpose(1, 2).to(type)));
            }
        }
    }
}

TEST_CASE("sample_update guides each row by its own number and adds up its terms")
{
    at::manual_seed(seed);
    for (const auto type : all_types) {
        for (const std::int64_t copies : {1, 2}) {
            const at::Tensor model_output = random({copies * 2, 63, 4}, type, 0.0);
            std::vector<Row> rows = {Row(63, 4), Row(63, 4)};

            REQUIRE(update(model_output, copies, {rows[0].numbers(7.5f), rows[1].numbers(1.25f)}) == Status::done);

            const at::Tensor outputs = channels_first(model_output);
            for (const std::int64_t row : {0, 1}) {
                const double guidance = row == 0 ? 7.5 : 1.25;
                const at::Tensor guided =
                    copies == 1 ? outputs[row] : outputs[row] + guidance * (outputs[row + 2] - outputs[row]);
                check_equal(rows[row].prediction, guided);
                check_equal(rows[row].result, rows[row].exact(guided));
            }
        }
    }
}

TEST_CASE("sample_update writes only what is wanted")
{
    at::manual_seed(seed);
    const at::Tensor model_output = random({1, 16, 4}, at::kFloat);
    Row row(16, 4);
    row.result.fill_(42);
    SampleRow only_prediction = row.numbers(1.0f);
    only_prediction.result = nullptr;
    REQUIRE(update(model_output, 1, {only_prediction}) == Status::done);
    REQUIRE(row.result.equal(at::full_like(row.result, 42)));
    REQUIRE(row.prediction.equal(model_output[0].t()));

    row.prediction.fill_(42);
    SampleRow only_result = row.numbers(1.0f);
    only_result.prediction = nullptr;
    only_result.terms = 1;
    REQUIRE(update(model_output, 1, {only_result}) == Status::done);
    REQUIRE(row.result.equal(model_output[0].t() * 0.25));
    REQUIRE(row.prediction.equal(at::full_like(row.prediction, 42)));
}

TEST_CASE("sample_update may write its results over its terms")
{
    at::manual_seed(seed);
    const at::Tensor model_output = random({2, 21, 4}, at::kHalf, 0.0);
    Row row(21, 4);
    const at::Tensor outputs = channels_first(model_output);
    const at::Tensor guided = outputs[0] + 5.0 * (outputs[1] - outputs[0]);
    const at::Tensor exact = row.exact(guided);
    SampleRow numbers = row.numbers(5.0f);
    numbers.result = row.sample.mutable_data_ptr<float>();
    numbers.prediction = row.older.mutable_data_ptr<float>();

    REQUIRE(update(model_output, 2, {numbers}) == Status::done);

    check_equal(row.sample, exact);
    check_equal(row.older, guided);
}

TEST_CASE("a row of sample_update has as many bits alone as among others")
{
    at::manual_seed(seed);
    const at::Tensor model_output = random({2 * 40, 9, 4}, at::kHalf, 0.0);
    std::vector<Row> rows;
    std::vector<SampleRow> numbers;
    for (int i = 0; i < 40; ++i) {
        numbers.push_back(rows.emplace_back(9, 4).numbers(static_cast<float>(i)));
    }
    REQUIRE(update(model_output, 2, numbers) == Status::done);
    const at::Tensor among_others = rows[37].result.clone();

    REQUIRE(update(at::cat({model_output[37].unsqueeze(0), model_output[77].unsqueeze(0)}), 2, {numbers[37]}) ==
            Status::done);

    REQUIRE(rows[37].result.equal(among_others));
}
