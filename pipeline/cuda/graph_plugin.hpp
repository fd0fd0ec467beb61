// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/recorded_work.hpp"

#include <cstdint>

namespace sdfleet::pipeline::cuda {

/// What libsdfleet_torch_cuda.so offers: that part of LibTorch's GPU half that has no device-independent door. The library
/// links nothing of that half; it finds it in the process, where torch_cuda.cpp has loaded it before.
class GraphPlugin {
public:
    virtual ~GraphPlugin() = default;

    /// A Recorder for the current device (recorded_work.hpp). All recordings share one pool of memory, so they must be
    /// replayed one after the other, on one thread; the results that are still held stay whole.
    virtual std::unique_ptr<RecordedWork> record(const std::function<void()>& work) = 0;
};

/// Raised with any change of the classes above.
constexpr std::uint32_t graph_plugin_version = 1;

/// Exported under graph_plugin_symbol. Null for another version than the caller's. Lives as long as the library.
using GraphPluginFunction = GraphPlugin* (*)(std::uint32_t version);
constexpr const char* graph_plugin_symbol = "sdfleet_torch_cuda_graphs";

} // namespace sdfleet::pipeline::cuda
