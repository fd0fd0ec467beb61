// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/nccl_collectives.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

namespace sdfleet::gpu_test {

inline void require(cudaError_t error, const char* call)
{
    if (error != cudaSuccess) {
        throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error));
    }
}

/// Owns memory of the current CUDA device. Throws what CUDA says.
template <class Element>
class DeviceMemory {
public:
    explicit DeviceMemory(std::size_t count) : count_(count)
    {
        require(cudaMalloc(&data_, size_bytes()), "cudaMalloc");
    }
    explicit DeviceMemory(const std::vector<Element>& values) : DeviceMemory(values.size())
    {
        require(cudaMemcpy(data_, values.data(), size_bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    }
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;
    ~DeviceMemory() { static_cast<void>(cudaFree(data_)); }

    std::vector<Element> read() const
    {
        std::vector<Element> values(count_);
        require(cudaMemcpy(values.data(), data_, size_bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
        return values;
    }

    /// On the default stream, without waiting: what an operation that does not wait for that stream would not see.
    void fill_later(int byte) { require(cudaMemsetAsync(data_, byte, size_bytes(), nullptr), "cudaMemsetAsync"); }

    std::size_t size_bytes() const { return count_ * sizeof(Element); }
    collective::DeviceBuffer buffer() const { return {data_, size_bytes()}; }

private:
    std::size_t count_;
    void* data_ = nullptr;
};

} // namespace sdfleet::gpu_test
