// SPDX-License-Identifier: Apache-2.0
#include "pipeline/cuda/graph_plugin.hpp"

#include <map>

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace sdfleet::pipeline::cuda {

namespace {

class RecordedGraph final : public RecordedWork {
public:
    RecordedGraph(const std::function<void()>& work, at::cuda::MempoolId_t pool)
    {
        // Only this thread's calls are watched: another's (a copy of a finished picture) must not spoil the recording.
        graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
        try {
            work();
        } catch (...) {
            end_quietly();
            throw;
        }
        graph_.capture_end();
    }

    void replay() override { graph_.replay(); }

private:
    void end_quietly()
    {
        try {
            graph_.capture_end();
        } catch (const std::exception&) {
            // What broke the recording is what its caller hears of.
        }
    }

    at::cuda::CUDAGraph graph_;
};

/// Work on another stream, between what the current one has and what it will get.
class SideStream {
public:
    explicit SideStream(const c10::cuda::CUDAStream& side)
        : current_(c10::cuda::getCurrentCUDAStream()), side_(side), guard_(side)
    {
        follow(side_, current_);
    }
    ~SideStream() { follow(current_, side_); }
    SideStream(const SideStream&) = delete;
    SideStream& operator=(const SideStream&) = delete;

    void wait() const { side_.synchronize(); }

private:
    static void follow(const c10::cuda::CUDAStream& after, const c10::cuda::CUDAStream& before)
    {
        at::cuda::CUDAEvent event;
        event.record(before);
        event.block(after);
    }

    c10::cuda::CUDAStream current_;
    c10::cuda::CUDAStream side_;
    c10::cuda::CUDAStreamGuard guard_;
};

class Plugin final : public GraphPlugin {
public:
    std::unique_ptr<RecordedWork> record(const std::function<void()>& work) override
    {
        // The default stream cannot be recorded. One other for all, as memory that was freed is kept for its stream.
        const auto device = c10::cuda::current_device();
        const auto stream = streams_.try_emplace(device, c10::cuda::getStreamFromPool()).first->second;
        const SideStream side(stream);
        // Algorithms are chosen, workspaces and handles made, in runs before: none of that may happen in a recording.
        constexpr int warm_ups = 2;
        for (int i = 0; i < warm_ups; ++i) {
            work();
        }
        side.wait();
        return std::make_unique<RecordedGraph>(work, pool_);
    }

private:
    at::cuda::MempoolId_t pool_ = at::cuda::graph_pool_handle();
    std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams_;
};

} // namespace

} // namespace sdfleet::pipeline::cuda

extern "C" __attribute__((visibility("default"))) sdfleet::pipeline::cuda::GraphPlugin*
sdfleet_torch_cuda_graphs(std::uint32_t version)
{
    using namespace sdfleet::pipeline::cuda;
    static Plugin plugin;
    return version == graph_plugin_version ? &plugin : nullptr;
}
