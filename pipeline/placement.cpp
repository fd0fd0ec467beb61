// SPDX-License-Identifier: Apache-2.0
#include "pipeline/placement.hpp"

#include "pipeline/torch_cuda.hpp"

#include <algorithm>

namespace sdfleet::pipeline {

namespace {

bool is_cuda(std::string_view device)
{
    constexpr std::string_view prefix = "cuda:";
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return device.starts_with(prefix) && device.size() > prefix.size() && device.size() <= prefix.size() + 3 &&
           std::all_of(device.begin() + prefix.size(), device.end(), is_digit);
}

/// Half precision where nothing else is asked for: what the models' published pipelines use on GPUs.
at::TensorOptions on_cuda(int index, Dtype dtype)
{
    const auto gpu = at::TensorOptions().device(at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)));
    switch (dtype) {
    case Dtype::fp32:
        return gpu.dtype(at::kFloat);
    case Dtype::bf16:
        return gpu.dtype(at::kBFloat16);
    case Dtype::automatic:
    case Dtype::fp16:
        break;
    }
    return gpu.dtype(at::kHalf);
}

/// `device`: "cuda:N" in digits.
base::Result<at::TensorOptions> resolve_cuda(std::string_view device, Dtype dtype)
{
    const auto in_words = [&](const std::string& why) {
        return base::fail(base::ExitCode::failed, "device " + std::string(device) + ": " + why);
    };
    const int index = std::stoi(std::string(device.substr(device.find(':') + 1)));
    const auto count = cuda_device_count();
    if (!count) {
        return in_words(count.error().message);
    }
    if (index >= *count) {
        return in_words("there " + (*count == 1 ? std::string("is one GPU, cuda:0")
                                                : "are " + std::to_string(*count) + " GPUs, from cuda:0"));
    }
    return on_cuda(index, dtype);
}

} // namespace

base::Result<Dtype> parse_dtype(std::string_view text)
{
    if (text == "auto") {
        return Dtype::automatic;
    }
    if (text == "fp32") {
        return Dtype::fp32;
    }
    if (text == "fp16") {
        return Dtype::fp16;
    }
    if (text == "bf16") {
        return Dtype::bf16;
    }
    return base::fail(base::ExitCode::usage,
                      "unknown dtype '" + std::string(text) + "'; known: auto, fp32, fp16, bf16");
}

base::Result<at::TensorOptions> resolve_placement(std::string_view device, Dtype dtype)
{
    if (is_cuda(device)) {
        return resolve_cuda(device, dtype);
    }
    if (device != "auto" && device != "cpu") {
        return base::fail(base::ExitCode::usage,
                          "unknown device '" + std::string(device) + "'; known: auto, cpu, cuda:N");
    }
    if (device == "auto" && has_nvidia_driver() && cuda_device_count()) {
        return on_cuda(0, dtype);
    }
    const at::TensorOptions cpu = at::TensorOptions().device(at::kCPU);
    switch (dtype) {
    case Dtype::fp16:
        return base::fail(base::ExitCode::usage,
                          "dtype fp16 is not drawn with on a CPU, where it is some hundred times "
                          "slower; fp16 weights are read as fp32: use --dtype fp32 or auto");
    case Dtype::bf16:
        return cpu.dtype(at::kBFloat16);
    case Dtype::automatic:
    case Dtype::fp32:
        break;
    }
    return cpu.dtype(at::kFloat);
}

std::string dtype_name(const at::TensorOptions& options)
{
    const auto type = c10::typeMetaToScalarType(options.dtype());
    return type == at::kHalf ? "fp16" : type == at::kBFloat16 ? "bf16" : "fp32";
}

} // namespace sdfleet::pipeline
