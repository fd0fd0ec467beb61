// SPDX-License-Identifier: Apache-2.0
// Between the sampler's latents (fp32, NCHW, a pointer for each row) and the model's tensors (NHWC, one batch).
#include "kernels/argument_check.hpp"
#include "kernels/cpu/element.hpp"
#include "kernels/cpu/functions.hpp"

#include <algorithm>

namespace sdfleet::kernels::cpu {

namespace {

template <class Element>
void run(const ModelInputArguments& a)
{
    const std::int64_t all_channels = a.channels + a.more_channels;
    const std::int64_t row_size = a.pixels * all_channels;
    auto* output = static_cast<Element*>(a.output);
    for (std::int64_t row = 0; row < a.batch; ++row) {
        Element* image = output + row * row_size;
        for (std::int64_t c = 0; c < all_channels; ++c) {
            const bool scaled = c < a.channels;
            const float* from = scaled ? a.rows[row] + c * a.pixels : a.more[row] + (c - a.channels) * a.pixels;
            const float scale = scaled ? a.scale[row] : 1.0f;
            for (std::int64_t pixel = 0; pixel < a.pixels; ++pixel) {
                image[pixel * all_channels + c] = to_element<Element>(from[pixel] * scale);
            }
        }
    }
    if (a.copies == 2) {
        std::copy_n(output, a.batch * row_size, output + a.batch * row_size);
    }
}

/// Reads all that belongs to the element before anything is written: the results may be among the terms.
void update(const SampleRow& row, std::int64_t element, float prediction)
{
    float result = row.factor[0] * prediction;
    for (std::int32_t k = 1; k < row.terms; ++k) {
        result += row.factor[k] * row.term[k][element];
    }
    if (row.prediction != nullptr) {
        row.prediction[element] = prediction;
    }
    if (row.result != nullptr) {
        row.result[element] = result;
    }
}

template <class Element>
void run(const SampleUpdateArguments& a)
{
    const std::int64_t row_size = a.pixels * a.channels;
    for (std::int64_t row = 0; row < a.batch; ++row) {
        const SampleRow& numbers = a.rows[row];
        const Element* first = static_cast<const Element*>(a.model_output) + row * row_size;
        const Element* second = first + a.batch * row_size;
        for (std::int64_t c = 0; c < a.channels; ++c) {
            for (std::int64_t pixel = 0; pixel < a.pixels; ++pixel) {
                float prediction = to_float(first[pixel * a.channels + c]);
                if (a.copies == 2) {
                    prediction += numbers.guidance * (to_float(second[pixel * a.channels + c]) - prediction);
                }
                update(numbers, c * a.pixels + pixel, prediction);
            }
        }
    }
}

} // namespace

Status model_input(const ModelInputArguments& a, Queue)
{
    return is_valid(a) ? run_as(a.type, [&](auto element) { run<decltype(element)>(a); }) : Status::invalid;
}

Status sample_update(const SampleUpdateArguments& a, Queue)
{
    return is_valid(a) ? run_as(a.type, [&](auto element) { run<decltype(element)>(a); }) : Status::invalid;
}

} // namespace sdfleet::kernels::cpu
