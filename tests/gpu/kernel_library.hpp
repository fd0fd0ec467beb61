// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/kernel_table.hpp"

#include <stdexcept>
#include <string>

#include <dlfcn.h>

namespace sdfleet::gpu_test {

/// The table of the plug-in at `path`, which stays loaded; null where it was built without kernels. Throws where it does not load.
inline const kernels::KernelTable* kernels_of(const std::string& path)
{
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        throw std::runtime_error(std::string("the GPU plug-in does not load: ") + ::dlerror());
    }
    const auto function =
        reinterpret_cast<kernels::KernelTableFunction>(::dlsym(library, kernels::kernel_table_symbol));
    return function != nullptr ? function() : nullptr;
}

} // namespace sdfleet::gpu_test
