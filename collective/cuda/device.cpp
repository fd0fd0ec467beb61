// SPDX-License-Identifier: Apache-2.0
#include "collective/cuda/device.hpp"

namespace sdfleet::cuda {

namespace {

/// "13.0" of 13000.
std::string cuda_version_text(int version)
{
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

} // namespace

Outcome cuda_outcome(cudaError_t error, const std::string& call)
{
    if (error == cudaSuccess) {
        return {};
    }
    return {SDFLEET_NCCL_FAILED, call + ": " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) + ")"};
}

Outcome probe_device(int device, sdfleet_nccl_facts& facts)
{
    static_cast<void>(cudaRuntimeGetVersion(&facts.runtime_version));
    // 0 without an error where there is no driver at all.
    if (cudaDriverGetVersion(&facts.driver_version) != cudaSuccess || facts.driver_version == 0) {
        return {SDFLEET_NCCL_NO_DRIVER, "no GPU driver: libcuda.so.1 is missing"};
    }
    const auto error = cudaGetDeviceCount(&facts.device_count);
    if (error == cudaErrorInsufficientDriver) {
        return {SDFLEET_NCCL_NO_DRIVER, "the GPU driver is too old: it knows CUDA " +
                                            cuda_version_text(facts.driver_version) + ", the plug-in needs " +
                                            cuda_version_text(facts.runtime_version)};
    }
    if (error != cudaSuccess) {
        facts.device_count = 0;
        return {SDFLEET_NCCL_NO_DEVICE, "no CUDA device: " + cuda_outcome(error, "cudaGetDeviceCount").why};
    }
    if (device < 0 || device >= facts.device_count) {
        return {SDFLEET_NCCL_NO_DEVICE,
                "no CUDA device " + std::to_string(device) + ": there are " + std::to_string(facts.device_count)};
    }
    cudaDeviceProp properties{};
    if (auto read = cuda_outcome(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
        read.is_error()) {
        return {SDFLEET_NCCL_NO_DEVICE, read.why};
    }
    facts.device_memory_bytes = properties.totalGlobalMem;
    facts.compute_capability = properties.major * 10 + properties.minor;
    copy_line(properties.name, facts.device_name);
    return {};
}

} // namespace sdfleet::cuda
