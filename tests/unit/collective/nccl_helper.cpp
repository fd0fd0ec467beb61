// SPDX-License-Identifier: Apache-2.0
// A process of its own for the NCCL tests.
//   where           prints which plug-in is loaded when none is named, or why there is none
//   hang LIBRARY    forms a group of one with a plug-in whose abort hangs, and aborts it: to be killed by itself
#include "collective/nccl_collectives.hpp"
#include "fake_nccl.h"

#include <iostream>
#include <string>

#include <dlfcn.h>

namespace collective = sdfleet::collective;
using namespace std::chrono_literals;

namespace {

int where()
{
    const auto plugin = collective::NcclPlugin::load("");
    std::cout << (plugin ? plugin->path() : plugin.error().message) << "\n";
    return plugin ? 0 : 1;
}

int hang(const char* library)
{
    const auto plugin = collective::NcclPlugin::load(library);
    void* fake = ::dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    if (!plugin || fake == nullptr) {
        return 1;
    }
    collective::NcclOptions options;
    options.abort_patience = 50ms;
    auto group = collective::NcclCollectives::create(*plugin, {"g", {}, 0, 1}, options, {}, 10s);
    if (!group) {
        return 2;
    }
    reinterpret_cast<decltype(&fake_nccl_set_fault)>(::dlsym(fake, "fake_nccl_set_fault"))(fake_nccl_abort_hangs);
    group->abort();
    return 3;
}

} // namespace

int main(int argc, char** argv)
{
    const std::string what = argc > 1 ? argv[1] : "";
    return what == "where" ? where() : what == "hang" && argc == 3 ? hang(argv[2]) : 99;
}
