// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/kernel_check_tools.hpp"

#include <deque>

namespace sdfleet::gpu_test {

using kernels::ModelInputArguments;
using kernels::SampleRow;
using kernels::SampleUpdateArguments;

namespace {

float* floats(const KernelArray& array)
{
    return static_cast<float*>(array.data());
}

Bytes model_input(const KernelSubject& on, ModelInputArguments a, const std::vector<Bytes>& rows,
                  const std::vector<Bytes>& more)
{
    std::deque<KernelArray> arrays;
    std::vector<const float*> row_pointers, more_pointers;
    std::vector<float> scale;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        row_pointers.push_back(floats(arrays.emplace_back(on.memory, rows[row])));
        more_pointers.push_back(floats(arrays.emplace_back(on.memory, more[row])));
        scale.push_back(0.3f + static_cast<float>(row));
    }
    const std::int64_t all_channels = a.channels + a.more_channels;
    const KernelArray output(on.memory, unwritten(a.copies * a.batch * a.pixels * all_channels * bytes_of(a.type)));
    a.rows = row_pointers.data();
    a.more = a.more_channels > 0 ? more_pointers.data() : nullptr;
    a.scale = scale.data();
    a.output = output.data();
    require_done(on.table.model_input(a, on.queue), "model_input");
    return output.read();
}

/// The arrays of one row: as many terms as there can be, a result, a prediction.
struct RowArrays {
    RowArrays(KernelMemory& memory, const Bytes& noise)
        : result(memory, unwritten(static_cast<std::int64_t>(noise.size()))),
          prediction(memory, unwritten(static_cast<std::int64_t>(noise.size())))
    {
        for (std::int64_t k = 0; k < kernels::max_sample_terms; ++k) {
            // Rotated, so that the terms differ.
            Bytes term = noise;
            std::rotate(term.begin(),
                        term.begin() + static_cast<std::ptrdiff_t>(4 * static_cast<std::size_t>(k) % term.size()),
                        term.end());
            terms.emplace_back(memory, term);
        }
    }
    std::deque<KernelArray> terms;
    KernelArray result, prediction;
};

/// Row `number` of a batch: one to all terms, and each fourth row writes over its terms or leaves something out.
SampleRow row_numbers(const RowArrays& arrays, std::size_t number)
{
    SampleRow row{.guidance = 1.0f + 0.5f * static_cast<float>(number % 16),
                  .terms = 1 + static_cast<std::int32_t>(number % kernels::max_sample_terms),
                  .factor = {},
                  .term = {},
                  .result = floats(arrays.result),
                  .prediction = floats(arrays.prediction)};
    for (std::int32_t k = 0; k < row.terms; ++k) {
        row.factor[k] = 0.75f - 0.25f * static_cast<float>(k);
        row.term[k] = k == 0 ? nullptr : floats(arrays.terms[static_cast<std::size_t>(k)]);
    }
    if (number % 4 == 1) {
        row.result = floats(arrays.terms[1]);
    } else if (number % 4 == 2) {
        row.prediction = floats(arrays.terms[1]);
        row.result = nullptr;
    } else if (number % 4 == 3) {
        row.prediction = nullptr;
    }
    return row;
}

/// Of each row: term 1, the result, the prediction. `first` is the number of the first row.
std::vector<Bytes> sample_update(const KernelSubject& on, SampleUpdateArguments a, const Bytes& outputs,
                                 const std::vector<Bytes>& noise, std::size_t first)
{
    const KernelArray model_output(on.memory, outputs);
    std::deque<RowArrays> arrays;
    std::vector<SampleRow> rows;
    for (std::size_t row = 0; row < static_cast<std::size_t>(a.batch); ++row) {
        rows.push_back(row_numbers(arrays.emplace_back(on.memory, noise[first + row]), first + row));
    }
    a.model_output = model_output.data();
    a.rows = rows.data();
    require_done(on.table.sample_update(a, on.queue), "sample_update");
    std::vector<Bytes> results;
    for (const RowArrays& row : arrays) {
        results.insert(results.end(), {row.terms[1].read(), row.result.read(), row.prediction.read()});
    }
    return results;
}

/// Nothing (0xff...) stays nothing.
void require_close_or_unwritten(const Bytes& got, const Bytes& expected, const std::string& what)
{
    if (expected == unwritten(static_cast<std::int64_t>(expected.size()))) {
        require_equal(got, expected, what + ", what is not wanted");
    } else {
        require_close(ElementType::float32, got, expected, what);
    }
}

} // namespace

void check_model_input(const KernelSubject& subject, const ModelInputArguments& sizes)
{
    Random random;
    std::vector<Bytes> rows, more;
    for (std::int64_t row = 0; row < sizes.batch; ++row) {
        rows.push_back(random.elements(ElementType::float32, sizes.channels * sizes.pixels));
        more.push_back(random.elements(ElementType::float32, sizes.more_channels * sizes.pixels));
    }
    require_equal(model_input(subject, sizes, rows, more), model_input(reference(), sizes, rows, more),
                  std::string("model_input ") + name_of(sizes.type) + ' ' + std::to_string(sizes.batch) + " x " +
                      std::to_string(sizes.pixels) + " x " + std::to_string(sizes.channels) + " + " +
                      std::to_string(sizes.more_channels));
}

void check_sample_update(const KernelSubject& subject, const SampleUpdateArguments& sizes)
{
    Random random;
    const std::int64_t row_size = sizes.pixels * sizes.channels;
    const Bytes outputs = random.elements(sizes.type, sizes.copies * sizes.batch * row_size);
    std::vector<Bytes> noise;
    for (std::int64_t row = 0; row < sizes.batch; ++row) {
        noise.push_back(random.elements(ElementType::float32, row_size));
    }
    const std::string what = std::string("sample_update ") + name_of(sizes.type) + ' ' + std::to_string(sizes.batch) +
                             " x " + std::to_string(sizes.pixels) + " x " + std::to_string(sizes.channels);
    const auto got = sample_update(subject, sizes, outputs, noise, 0);
    const auto expected = sample_update(reference(), sizes, outputs, noise, 0);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        require_close_or_unwritten(got[i], expected[i], what + ", row " + std::to_string(i / 3));
    }

    SampleUpdateArguments one = sizes;
    one.batch = 1;
    const auto last = static_cast<std::size_t>(sizes.batch) - 1;
    const std::int64_t row_bytes = row_size * bytes_of(sizes.type);
    Bytes alone = rows_of(outputs, row_bytes, sizes.batch - 1, 1);
    if (sizes.copies == 2) {
        const Bytes guided = rows_of(outputs, row_bytes, 2 * sizes.batch - 1, 1);
        alone.insert(alone.end(), guided.begin(), guided.end());
    }
    const auto by_itself = sample_update(subject, one, alone, noise, last);
    for (std::size_t i = 0; i < 3; ++i) {
        require_equal(by_itself[i], got[3 * last + i], what + ", row alone");
    }
}

} // namespace sdfleet::gpu_test
