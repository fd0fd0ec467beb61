// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gpu_plugin.hpp"

#include "pipeline/cuda/graph_plugin.hpp"

#include <filesystem>
#include <string>

#include <dlfcn.h>

namespace sdfleet::pipeline {

namespace {

using Kernels = base::Result<const kernels::KernelTable*>;

constexpr const char* kernels_library = "libsdfleet_cuda.so";
constexpr const char* graphs_library = "libsdfleet_torch_cuda.so";

tl::unexpected<base::Error> unavailable(const std::string& why)
{
    return base::fail(base::ExitCode::failed,
                      "fast mode cannot run on a GPU here: " + why +
                          "; --mode reference needs no plug-in, and docs/gpu.md says how to build it");
}

/// Beside the program; else where the loader looks.
std::string path_of(const char* library)
{
    std::error_code error;
    const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / library;
    return !error && std::filesystem::exists(beside, error) ? beside.string() : library;
}

base::Result<void*> open(const std::string& path)
{
    if (void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); library != nullptr) {
        return library;
    }
    const char* error = ::dlerror();
    return unavailable("a GPU plug-in does not load (" + (error == nullptr ? path : std::string(error)) + ")");
}

bool is_whole(const kernels::KernelTable& table)
{
    return table.group_norm_workspace_bytes != nullptr && table.group_norm != nullptr && table.layer_norm != nullptr &&
           table.geglu != nullptr && table.bias_residual != nullptr && table.upsample_nearest != nullptr &&
           table.model_input != nullptr && table.sample_update != nullptr && table.image_bytes != nullptr;
}

Kernels kernels_in(void* library, const std::string& path)
{
    const auto function =
        reinterpret_cast<kernels::KernelTableFunction>(::dlsym(library, kernels::kernel_table_symbol));
    const kernels::KernelTable* table = function == nullptr ? nullptr : function();
    if (table == nullptr) {
        return unavailable(path + " was built without a CUDA compiler and has no kernels");
    }
    if (table->version != kernels::kernel_table_version || table->table_bytes != sizeof(*table) || !is_whole(*table)) {
        return unavailable(path + " has version " + std::to_string(table->version) +
                           " of the kernels' table, this program " + std::to_string(kernels::kernel_table_version) +
                           ": build both from the same sources");
    }
    return table;
}

base::Result<Recorder> recorder_in(void* library, const std::string& path)
{
    const auto function = reinterpret_cast<cuda::GraphPluginFunction>(::dlsym(library, cuda::graph_plugin_symbol));
    cuda::GraphPlugin* plugin = function == nullptr ? nullptr : function(cuda::graph_plugin_version);
    if (plugin == nullptr) {
        return unavailable(path + " is of another version than this program: build both from the same sources");
    }
    return [plugin](const std::function<void()>& work) { return plugin->record(work); };
}

} // namespace

base::Result<const kernels::KernelTable*> gpu_kernels()
{
    static const Kernels table = [path = path_of(kernels_library)] {
        return open(path).and_then([&](void* library) { return kernels_in(library, path); });
    }();
    return table;
}

base::Result<Recorder> gpu_recorder()
{
    static const base::Result<Recorder> recorder = [path = path_of(graphs_library)] {
        return open(path).and_then([&](void* library) { return recorder_in(library, path); });
    }();
    return recorder;
}

} // namespace sdfleet::pipeline
