// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weights.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <sstream>

#include <ATen/ops/empty.h>

namespace sdfleet::pipeline {

namespace {

std::optional<at::ScalarType> scalar_type(std::string_view dtype)
{
    if (dtype == "F32") {
        return at::kFloat;
    }
    if (dtype == "F16") {
        return at::kHalf;
    }
    if (dtype == "BF16") {
        return at::kBFloat16;
    }
    if (dtype == "F64") {
        return at::kDouble;
    }
    return std::nullopt;
}

std::string shape_text(at::IntArrayRef shape)
{
    std::ostringstream text;
    text << shape;
    return text.str();
}

/// [C, C, 1, 1] holds the same numbers as [C, C]: converted checkpoints keep some linear layers as 1x1 convolutions.
bool same_but_for_ones(at::IntArrayRef have, at::IntArrayRef want)
{
    return have.size() == want.size() + 2 && want.size() == 2 && have.slice(0, 2) == want && have[2] == 1 &&
           have[3] == 1;
}

} // namespace

Weights::Weights(SafetensorsFile file, std::string where, at::TensorOptions options)
    : file_(std::move(file)), where_(std::move(where)), options_(options)
{
}

base::Result<Weights> Weights::open(const std::filesystem::path& path, at::TensorOptions options)
{
    return SafetensorsFile::open(path).map(
        [&](SafetensorsFile&& file) { return Weights(std::move(file), path.string(), options); });
}

at::Tensor Weights::problem(const std::string& what)
{
    if (problem_.empty()) {
        problem_ = what;
    }
    return {};
}

at::Tensor Weights::take(const std::string& name, at::IntArrayRef shape)
{
    const auto found = file_.tensors().find(name);
    if (found == file_.tensors().end()) {
        return problem("tensor '" + name + "' is missing");
    }
    const TensorView& view = found->second;
    if (shape != at::IntArrayRef(view.shape) && !same_but_for_ones(view.shape, shape)) {
        return problem("tensor '" + name + "' has shape " + shape_text(view.shape) + ", but the config asks for " +
                       shape_text(shape));
    }
    const auto type = scalar_type(view.dtype);
    if (!type) {
        return problem("tensor '" + name + "' is " + view.dtype + ", not floating point");
    }
    // memcpy, not a view: the file's data may be unaligned, and a mapping must not outlive the load.
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(*type));
    if (!view.bytes.empty()) {
        std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    }
    return parameters_[name] = tensor.to(options_);
}

bool Weights::has_prefix(std::string_view prefix) const
{
    const auto at_or_after = file_.tensors().lower_bound(prefix);
    return at_or_after != file_.tensors().end() && at_or_after->first.starts_with(prefix);
}

base::Result<void> Weights::finish() const
{
    if (!problem_.empty()) {
        return base::fail(base::ExitCode::bad_input, where_ + ": " + problem_);
    }
    for (const auto& [name, view] : file_.tensors()) {
        const auto covers = [&name = name](const std::string& prefix) { return name.starts_with(prefix); };
        if (!parameters_.contains(name) && std::none_of(ignored_.begin(), ignored_.end(), covers)) {
            return base::fail(
                base::ExitCode::bad_input,
                where_ + ": tensor '" + name +
                    "' belongs to no layer of this model; the folder's config.json does not fit the file");
        }
    }
    return {};
}

WeightScope WeightScope::operator[](std::string_view child) const
{
    return WeightScope(*weights_, prefix_ + std::string(child) + ".");
}

WeightScope WeightScope::any_of(std::initializer_list<std::string_view> names) const
{
    for (const std::string_view name : names) {
        if (weights_->has_prefix(prefix_ + std::string(name) + ".")) {
            return (*this)[name];
        }
    }
    return (*this)[*names.begin()];
}

} // namespace sdfleet::pipeline
