// SPDX-License-Identifier: Apache-2.0
#include "pipeline/torch_cuda.hpp"

#include <exception>
#include <filesystem>
#include <string>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace sdfleet::pipeline {

namespace {

base::Result<int> missing(const std::string& why)
{
    return base::fail(base::ExitCode::failed, "no GPU can be used here: " + why);
}

/// The folder of the LibTorch that this process runs with; empty if the system does not say.
std::filesystem::path libtorch_folder()
{
    Dl_info info{};
    // Any function of the library will do; it has to be one that is not inlined.
    return ::dladdr(reinterpret_cast<void*>(&at::get_num_threads), &info) != 0 && info.dli_fname != nullptr
               ? std::filesystem::path(info.dli_fname).parent_path()
               : std::filesystem::path();
}

base::Result<int> load()
{
    const auto library = libtorch_folder() / "libtorch_cuda.so";
    // Global, as Python loads it: its kernels and hooks register themselves while it is being loaded, and what it loads
    // later (linear algebra, cuDNN's parts) finds it by its symbols. It is never closed.
    if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
        const char* error = ::dlerror();
        return missing("LibTorch's GPU half does not load (" +
                       std::string(error == nullptr ? library.string() : error) +
                       "); scripts/setup --cuda fetches what it needs");
    }
    try {
        // The hooks count quietly: without a driver, or with one that is too old, there are no devices.
        if (const int count = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
            count > 0) {
            at::globalContext().lazyInitDevice(at::kCUDA); // whoever asks for its memory need not have made a tensor
            return count;
        }
    } catch (const std::exception& error) {
        const std::string text = error.what();
        return missing(text.substr(0, text.find('\n')));
    }
    return missing(has_nvidia_driver()
                       ? "the NVIDIA driver shows no device (CUDA_VISIBLE_DEVICES, or a driver that is too "
                         "old for this LibTorch's CUDA; nvidia-smi shows both)"
                       : "there is no NVIDIA driver");
}

} // namespace

base::Result<int> cuda_device_count()
{
    static const base::Result<int> count = load();
    return count;
}

bool has_nvidia_driver()
{
    std::error_code ignored;
    return std::filesystem::exists("/dev/nvidiactl", ignored) || std::filesystem::exists("/dev/dxg", ignored);
}

} // namespace sdfleet::pipeline
