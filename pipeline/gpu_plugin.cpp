// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gpu_plugin.hpp"

#include <filesystem>
#include <string>

#include <dlfcn.h>

namespace sdfleet::pipeline {

namespace {

using Kernels = base::Result<const kernels::KernelTable*>;

constexpr const char* plugin_name = "libsdfleet_cuda.so";

Kernels unavailable(const std::string& why)
{
    return base::fail(base::ExitCode::failed,
                      "fast mode cannot run on a GPU here: " + why +
                          "; --mode reference needs no plug-in, and docs/gpu.md says how to build it");
}

std::filesystem::path plugin_path(const char* name)
{
    std::error_code error;
    const auto beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
    return !error && std::filesystem::exists(beside, error) ? beside : std::filesystem::path(name);
}

bool is_whole(const kernels::KernelTable& table)
{
    return table.group_norm_workspace_bytes != nullptr && table.group_norm != nullptr && table.layer_norm != nullptr &&
           table.geglu != nullptr && table.bias_residual != nullptr && table.upsample_nearest != nullptr &&
           table.model_input != nullptr && table.sample_update != nullptr && table.image_bytes != nullptr;
}

Kernels load()
{
    const auto path = plugin_path(plugin_name);
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* error = ::dlerror();
        return unavailable("the GPU plug-in does not load (" + std::string(error == nullptr ? path.string() : error) +
                           ")");
    }
    const auto function =
        reinterpret_cast<kernels::KernelTableFunction>(::dlsym(library, kernels::kernel_table_symbol));
    const kernels::KernelTable* table = function == nullptr ? nullptr : function();
    if (table == nullptr) {
        return unavailable(path.string() + " was built without a CUDA compiler and has no kernels");
    }
    if (table->version != kernels::kernel_table_version || table->table_bytes != sizeof(*table) || !is_whole(*table)) {
        return unavailable(path.string() + " has version " + std::to_string(table->version) +
                           " of the kernels' table, this program " + std::to_string(kernels::kernel_table_version) +
                           ": build both from the same sources");
    }
    return table;
}

} // namespace

base::Result<const kernels::KernelTable*> gpu_kernels()
{
    static const Kernels table = load();
    return table;
}

} // namespace sdfleet::pipeline
