// SPDX-License-Identifier: Apache-2.0
#include "pipeline/image_resize.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace sdfleet::pipeline {

namespace {

constexpr double lobes = 3;
constexpr int channels = 3;
/// Weights are whole numbers of 2^-22: a sum of 8-bit values times weights, which add up to 1, then fits an int.
constexpr int weight_bits = 22;

double sinc(double x)
{
    const double angle = x * std::numbers::pi;
    return x == 0 ? 1.0 : std::sin(angle) / angle;
}

double lanczos(double x)
{
    return x >= -lobes && x < lobes ? sinc(x) * sinc(x / lobes) : 0.0;
}

/// The input positions that one output position is made of.
struct Window {
    int first = 0;
    std::vector<int> weights;
};

std::vector<Window> windows(int from, int to)
{
    const double scale = static_cast<double>(from) / to;
    const double widening = std::max(scale, 1.0);
    const double reach = lobes * widening;
    std::vector<Window> made;
    for (int i = 0; i < to; ++i) {
        const double center = (i + 0.5) * scale;
        const int first = std::max(0, static_cast<int>(center - reach + 0.5));
        const int end = std::min(from, static_cast<int>(center + reach + 0.5));
        std::vector<double> exact;
        double sum = 0;
        for (int k = first; k < end; ++k) {
            exact.push_back(lanczos((k - center + 0.5) * (1.0 / widening)));
            sum += exact.back();
        }
        Window window{first, {}};
        for (const double weight : exact) {
            const double scaled = weight * (1.0 / sum) * (1 << weight_bits);
            window.weights.push_back(static_cast<int>(scaled + (scaled < 0 ? -0.5 : 0.5)));
        }
        made.push_back(std::move(window));
    }
    return made;
}

std::uint8_t to_byte(int sum)
{
    return static_cast<std::uint8_t>(std::clamp(sum >> weight_bits, 0, 255));
}

/// One window over values that lie `stride` bytes apart.
std::uint8_t weigh(const Window& window, const std::uint8_t* values, std::size_t stride)
{
    int sum = 1 << (weight_bits - 1); // for rounding
    values += static_cast<std::size_t>(window.first) * stride;
    for (const int weight : window.weights) {
        sum += *values * weight;
        values += stride;
    }
    return to_byte(sum);
}

InputImage resize_rows(const InputImage& image, int width)
{
    const auto across = windows(image.width, width);
    InputImage out{width, image.height, {}, image.sha256};
    out.rgb.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(image.height) * channels);
    for (int y = 0; y < image.height; ++y) {
        const auto row_bytes = static_cast<std::size_t>(image.width) * channels;
        const std::uint8_t* row = image.rgb.data() + static_cast<std::size_t>(y) * row_bytes;
        for (const Window& window : across) {
            for (int c = 0; c < channels; ++c) {
                out.rgb.push_back(weigh(window, row + c, channels));
            }
        }
    }
    return out;
}

InputImage resize_columns(const InputImage& image, int height)
{
    InputImage out{image.width, height, {}, image.sha256};
    const auto row_bytes = static_cast<std::size_t>(image.width) * channels;
    out.rgb.reserve(row_bytes * static_cast<std::size_t>(height));
    for (const Window& window : windows(image.height, height)) {
        for (std::size_t x = 0; x < row_bytes; ++x) {
            out.rgb.push_back(weigh(window, image.rgb.data() + x, row_bytes));
        }
    }
    return out;
}

} // namespace

InputImage resize_lanczos(const InputImage& image, int width, int height)
{
    // The bytes between the two passes are rounded, so their order matters.
    InputImage sized = width == image.width ? image : resize_rows(image, width);
    return height == sized.height ? sized : resize_columns(sized, height);
}

} // namespace sdfleet::pipeline
