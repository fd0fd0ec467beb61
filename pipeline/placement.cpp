// SPDX-License-Identifier: Apache-2.0
#include "pipeline/placement.hpp"

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
        return base::fail(base::ExitCode::failed,
                          "device " + std::string(device) + ": this build has no CUDA plug-in; use --device cpu");
    }
    if (device != "auto" && device != "cpu") {
        return base::fail(base::ExitCode::usage,
                          "unknown device '" + std::string(device) + "'; known: auto, cpu, cuda:N");
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
