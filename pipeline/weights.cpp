// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weights.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <sstream>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <sys/mman.h>
#include <unistd.h>

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

/// One pass over the file's bytes, to the type and device asked for.
at::Tensor converted(const TensorView& view, at::IntArrayRef shape, at::ScalarType type, at::TensorOptions options)
{
    const auto from = at::TensorOptions().dtype(type);
    if (view.bytes.empty()) {
        return at::empty(shape, options);
    }
    // Older writers did not align their data.
    if (reinterpret_cast<std::uintptr_t>(view.bytes.data()) % c10::elementSize(type) != 0) {
        at::Tensor aligned = at::empty(shape, from);
        std::memcpy(aligned.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
        return aligned.to(options);
    }
    auto* bytes = const_cast<std::byte*>(view.bytes.data()); // from_blob has no form for what is only read
    return at::from_blob(bytes, shape, from).to(options, /*non_blocking=*/false, /*copy=*/true);
}

/// Whole pages of a file's mapping leave this process; the system keeps them for whoever reads the file next.
void give_back_pages(std::span<const std::byte> bytes)
{
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
    if (begin < end) {
        ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
}

} // namespace

base::Result<Weights> Weights::open(const WeightFiles& weights, at::TensorOptions options)
{
    Weights opened(weights.main.string(), options);
    for (const auto& path : weights.files) {
        auto file = SafetensorsFile::open(path);
        if (!file) {
            return tl::unexpected(file.error());
        }
        if (auto added = opened.add(std::move(*file)); !added) {
            return tl::unexpected(added.error());
        }
    }
    return opened.check_index(weights).map([&] { return std::move(opened); });
}

base::Result<void> Weights::add(SafetensorsFile file)
{
    for (const auto& [name, view] : file.tensors()) {
        if (!views_.emplace(name, view).second) {
            return base::fail(base::ExitCode::bad_input, where_ + ": two of its files have a tensor '" + name + "'");
        }
    }
    files_.push_back(std::move(file));
    return {};
}

base::Result<void> Weights::check_index(const WeightFiles& weights) const
{
    for (const auto& [tensor, file] : weights.index) {
        if (!views_.contains(tensor)) {
            return base::fail(base::ExitCode::bad_input,
                              where_ + ": it says that tensor '" + tensor + "' is in " + file + ", which is not so");
        }
    }
    return {};
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
    const auto found = views_.find(name);
    if (found == views_.end()) {
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
    if (!options_.device().is_cpu()) {
        return parameters_[name] = upload_.add(view.bytes, shape, *type);
    }
    const auto tensor = parameters_[name] = converted(view, shape, *type, options_);
    give_back_pages(view.bytes);
    return tensor;
}

bool Weights::has_prefix(std::string_view prefix) const
{
    const auto at_or_after = views_.lower_bound(prefix);
    return at_or_after != views_.end() && at_or_after->first.starts_with(prefix);
}

base::Result<void> Weights::finish()
{
    if (!problem_.empty()) {
        return base::fail(base::ExitCode::bad_input, where_ + ": " + problem_);
    }
    for (const auto& [name, view] : views_) {
        const auto covers = [&name = name](const std::string& prefix) { return name.starts_with(prefix); };
        if (!parameters_.contains(name) && std::none_of(ignored_.begin(), ignored_.end(), covers)) {
            return base::fail(
                base::ExitCode::bad_input,
                where_ + ": tensor '" + name +
                    "' belongs to no layer of this model; the folder's config.json does not fit the file");
        }
    }
    upload_.run();
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
