// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// Scaled dot-product attention by whichever of the library's implementations is the fastest for a shape, found by
/// measurement at its first call and kept. On a GPU the library has up to four, of which now one wins and now another;
/// on the CPU its own choice is taken. One thread at a time.
class AttentionChoice {
public:
    /// query [N, heads, T, d], key and value [N, heads, L, d]; returns [N, heads, T, d]. The first call for a shape waits
    /// for the GPU, so that it must not be in a recording.
    at::Tensor operator()(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value);

    /// What runs, in the order of their numbers; the first is the library's own choice, which takes any shape.
    static constexpr std::array<const char*, 4> names{"default", "flash", "cudnn", "efficient"};

    struct Shape {
        std::array<std::int64_t, 5> sizes{}; ///< N, heads, T, L, d
        at::ScalarType type = at::kFloat;
        auto operator<=>(const Shape&) const = default;
    };
    const std::map<Shape, std::size_t>& chosen() const { return chosen_; } ///< positions in `names`

private:
    std::map<Shape, std::size_t> chosen_;
};

/// The position from 0 to `count` - 1 whose `measure` is the smallest; what throws is out. 0 when all do.
std::size_t fastest(std::size_t count, const std::function<double(std::size_t)>& measure);

} // namespace sdfleet::pipeline
