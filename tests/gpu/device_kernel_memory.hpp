// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/gpu/device_memory.hpp"
#include "tests/gpu/kernel_memory.hpp"

namespace sdfleet::gpu_test {

/// Memory of the current CUDA device, with a stream on which everything happens in turn.
class DeviceKernelMemory final : public KernelMemory {
public:
    DeviceKernelMemory() { require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }
    ~DeviceKernelMemory() override { static_cast<void>(cudaStreamDestroy(stream_)); }
    DeviceKernelMemory(const DeviceKernelMemory&) = delete;
    DeviceKernelMemory& operator=(const DeviceKernelMemory&) = delete;

    cudaStream_t stream() const { return stream_; }

    std::byte* allocate(std::size_t bytes) override
    {
        void* memory = nullptr;
        require(cudaMalloc(&memory, bytes), "cudaMalloc");
        return static_cast<std::byte*>(memory);
    }
    void release(std::byte* memory) override { static_cast<void>(cudaFree(memory)); }
    void write(std::byte* to, const void* from, std::size_t bytes) override
    {
        require(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
    }
    void read(void* to, const std::byte* from, std::size_t bytes) override
    {
        require(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_), "cudaMemcpyAsync");
        require(cudaStreamSynchronize(stream_), "a kernel");
    }

private:
    cudaStream_t stream_ = nullptr;
};

} // namespace sdfleet::gpu_test
