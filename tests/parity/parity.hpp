// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/diffusion_pipeline.hpp"
#include "pipeline/safetensors_file.hpp"
#include "tests/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace sdfleet::test {

/// How the models of these tests are computed: each test is run once for the reference and once for fast mode.
inline pipeline::LoadOptions load_options()
{
    const char* mode = std::getenv("SDFLEET_TEST_COMPUTE_MODE");
    const auto parsed = pipeline::parse_compute_mode(mode == nullptr ? "auto" : mode);
    REQUIRE(parsed);
    pipeline::LoadOptions options;
    options.mode = *parsed;
    return options;
}

/// A tensor's values, whose type must be T's.
template <class T>
std::vector<T> values_of(const pipeline::SafetensorsFile& file, const std::string& name)
{
    const auto& view = file.tensors().at(name);
    std::vector<T> values(view.bytes.size() / sizeof(T));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
}

/// |ours - theirs| / |theirs|
inline double relative_l2(const std::vector<float>& ours, const std::vector<float>& theirs)
{
    REQUIRE(ours.size() == theirs.size());
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const double d = double{ours[i]} - double{theirs[i]};
        difference += d * d;
        norm += double{theirs[i]} * double{theirs[i]};
    }
    return std::sqrt(difference / norm);
}

inline int largest_difference(const std::vector<std::uint8_t>& ours, const std::vector<std::uint8_t>& theirs)
{
    REQUIRE(ours.size() == theirs.size());
    int largest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        largest = std::max(largest, std::abs(int{ours[i]} - int{theirs[i]}));
    }
    return largest;
}

} // namespace sdfleet::test
