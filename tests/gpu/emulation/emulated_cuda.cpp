// SPDX-License-Identifier: Apache-2.0
// libcudart.so.13 for machines without a GPU: one device whose memory is the host's, streams that are threads. So much of it
// as the plug-in and nccl_test call. With it the plug-in's own code runs anywhere; about real GPUs it proves nothing.
#include "emulated_stream.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

struct CUstream_st {
    CUstream_st() : worker([this] { run(); }) {}
    ~CUstream_st()
    {
        enqueue({});
        worker.join();
    }

    void enqueue(std::function<void()> work)
    {
        const std::lock_guard lock(mutex);
        queue.push_back(std::move(work));
        changed.notify_one();
    }

    /// Until an empty function says that the stream goes.
    void run()
    {
        for (;;) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [this] { return !queue.empty(); });
            const auto work = std::move(queue.front());
            queue.pop_front();
            lock.unlock();
            if (!work) {
                return;
            }
            work();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> queue;
    std::thread worker;
};

struct CUevent_st {
    std::shared_ptr<std::atomic<bool>> reached; ///< of the last record; none: never recorded
};

namespace {

CUstream_st& stream_of(cudaStream_t stream)
{
    // Kept to the end of the process: its thread must not be waited for while libraries are unloaded.
    static auto* default_stream = new CUstream_st;
    return stream != nullptr ? *stream : *default_stream;
}

void wait_for(CUstream_st& stream)
{
    auto reached = std::make_shared<std::promise<void>>();
    auto until_reached = reached->get_future();
    stream.enqueue([reached] { reached->set_value(); });
    until_reached.wait();
}

/// The streams that exist, beside the default one.
class Streams {
public:
    void add(CUstream_st* stream)
    {
        const std::lock_guard lock(mutex_);
        streams_.insert(stream);
    }
    void remove(CUstream_st* stream)
    {
        const std::lock_guard lock(mutex_);
        streams_.erase(stream);
    }
    void wait_for_all()
    {
        const std::lock_guard lock(mutex_);
        for (auto* stream : streams_) {
            wait_for(*stream);
        }
        wait_for(stream_of(nullptr));
    }

private:
    std::mutex mutex_;
    std::set<CUstream_st*> streams_;
};

Streams& streams()
{
    static auto* all = new Streams;
    return *all;
}

} // namespace

void emulated_enqueue(cudaStream_t stream, std::function<void()> work)
{
    stream_of(stream).enqueue(std::move(work));
}

extern "C" {

cudaError_t cudaDriverGetVersion(int* version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int)
{
    *properties = {};
    std::strcpy(properties->name, "emulated GPU");
    properties->totalGlobalMem = 1ull << 30;
    properties->major = 9;
    return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t)
{
    return "an emulated error";
}

const char* cudaGetErrorName(cudaError_t)
{
    return "cudaErrorEmulated";
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int)
{
    *stream = new CUstream_st;
    streams().add(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    streams().remove(stream);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int)
{
    *event = new CUevent_st;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    event->reached = std::make_shared<std::atomic<bool>>(false);
    stream_of(stream).enqueue([reached = event->reached] {
        *reached = true;
        reached->notify_all();
    });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    return event->reached == nullptr || *event->reached ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    if (event->reached != nullptr) {
        stream_of(stream).enqueue([reached = event->reached] { reached->wait(false); });
    }
    return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t size)
{
    *pointer = std::malloc(size > 0 ? size : 1);
    return *pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* pointer)
{
    streams().wait_for_all(); // as CUDA's does
    std::free(pointer);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind)
{
    wait_for(stream_of(nullptr));
    std::memcpy(to, from, size);
    return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
    return cudaSuccess;
}

// What nvcc puts into a library with kernels. They are taken note of by nobody: their code is a GPU's.
cudaError_t cudaLaunchKernel(const void*, dim3, dim3, void**, size_t, cudaStream_t)
{
    return cudaErrorNotSupported;
}

void** __cudaRegisterFatBinary(void*)
{
    static void* handle = nullptr;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}

void __cudaUnregisterFatBinary(void**) {}

void __cudaRegisterFunction(void**, const char*, char*, const char*, int, uint3*, uint3*, dim3*, dim3*, int*) {}

unsigned __cudaPushCallConfiguration(dim3, dim3, size_t, CUstream_st*)
{
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3*, dim3*, size_t*, void*)
{
    return cudaErrorNotSupported;
}

cudaError_t __cudaGetKernel(cudaKernel_t*, const void*)
{
    return cudaErrorNotSupported;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t, dim3, dim3, void**, size_t, cudaStream_t)
{
    return cudaErrorNotSupported;
}

cudaError_t cudaMemsetAsync(void* pointer, int value, size_t size, cudaStream_t stream)
{
    stream_of(stream).enqueue([=] {
        // Slow on purpose: who does not wait for the stream sees what was there before.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        std::memset(pointer, value, size);
    });
    return cudaSuccess;
}
}
