// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"
#include "pipeline/safetensors_file.hpp"
#include "pipeline/weight_files.hpp"
#include "pipeline/weight_upload.hpp"

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

/// The parameters of one component of a model, handed out by name while the model is built. A missing tensor or a wrong shape is
/// remembered and an undefined tensor returned, so that layers load without error handling of their own; nobody may
/// compute with the model before finish() said that all went well.
class Weights {
public:
    /// `options` is the device and the type that every floating-point parameter is converted to.
    static base::Result<Weights> open(const WeightFiles& weights, at::TensorOptions options);

    /// A copy of tensor `name`, which must have `shape`; it counts as used. On the CPU the file's pages are given back
    /// afterwards, so that loading takes little more memory than the model itself. On a GPU its values are there after
    /// finish() only: all are brought there together.
    at::Tensor take(const std::string& name, at::IntArrayRef shape);

    bool has(const std::string& name) const { return views_.contains(name); }
    bool has_prefix(std::string_view prefix) const;

    /// Tensors whose names begin so may stay unused (an encoder that nothing here runs, old buffers).
    void ignore_prefix(std::string prefix) { ignored_.push_back(std::move(prefix)); }

    /// What take handed out, by name. Layers compute with these tensors or views of them: to change one in place changes
    /// the model.
    const std::map<std::string, at::Tensor>& parameters() const { return parameters_; }

    /// The first thing that went wrong, or a tensor that no layer took.
    base::Result<void> finish();

private:
    Weights(std::string where, at::TensorOptions options)
        : where_(std::move(where)), options_(options), upload_(options)
    {
    }
    base::Result<void> add(SafetensorsFile file);
    base::Result<void> check_index(const WeightFiles& weights) const;
    at::Tensor problem(const std::string& what);

    std::vector<SafetensorsFile> files_;
    TensorViews views_; ///< of all files
    std::string where_;
    at::TensorOptions options_;
    WeightUpload upload_; ///< what is on its way to a GPU
    std::map<std::string, at::Tensor> parameters_;
    std::vector<std::string> ignored_;
    std::string problem_;
};

/// A place in the tree of parameter names. Names equal those of the published checkpoints, so there is no table of names.
class WeightScope {
public:
    explicit WeightScope(Weights& weights, std::string prefix = {}) : weights_(&weights), prefix_(std::move(prefix)) {}

    WeightScope operator[](std::string_view child) const;
    WeightScope operator[](std::size_t index) const { return (*this)[std::string_view(std::to_string(index))]; }

    /// The first of `names` that the file has: checkpoints of different ages name the same layer differently.
    WeightScope any_of(std::initializer_list<std::string_view> names) const;

    bool has(std::string_view name) const { return weights_->has(prefix_ + std::string(name)); }
    at::Tensor take(std::string_view name, at::IntArrayRef shape) const
    {
        return weights_->take(prefix_ + std::string(name), shape);
    }

private:
    Weights* weights_;
    std::string prefix_; ///< empty, or ends in a dot
};

} // namespace sdfleet::pipeline
