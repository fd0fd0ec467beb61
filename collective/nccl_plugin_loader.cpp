// SPDX-License-Identifier: Apache-2.0
#include "collective/nccl_plugin_loader.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <dlfcn.h>

namespace sdfleet::collective {

namespace {

constexpr const char* file_name = "libsdfleet_cuda.so";

tl::unexpected<Error> unavailable(const std::string& why)
{
    return tl::unexpected(Error{BackendUnavailable{}, "NCCL cannot be used here: " + why});
}

std::string loader_error()
{
    const char* text = ::dlerror();
    return text != nullptr ? text : "unknown error";
}

/// The file that is to be opened: the one asked for; else the one beside the program; else the loader looks.
std::string choose_file(const std::string& library)
{
    if (!library.empty()) {
        return library;
    }
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto beside = program.parent_path() / file_name;
    return !error && std::filesystem::exists(beside, error) ? beside.string() : file_name;
}

bool is_whole(const sdfleet_nccl_plugin& table)
{
    return table.probe != nullptr && table.configure != nullptr && table.unique_id != nullptr &&
           table.create != nullptr && table.start != nullptr && table.poll != nullptr && table.close != nullptr &&
           table.poll_closed != nullptr;
}

/// Text from beyond the interface: whatever is in it, it ends.
template <std::size_t size>
std::string text_of(const char (&text)[size])
{
    return {text, std::find(text, text + size, '\0')};
}

} // namespace

NcclPlugin::NcclPlugin(const sdfleet_nccl_plugin& table, std::string path) : table_(&table), path_(std::move(path)) {}

Result<NcclPlugin> NcclPlugin::load(const std::string& library)
{
    const auto file = choose_file(library);
    void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const bool looked_everywhere = library.empty() && file == file_name;
        return unavailable("the GPU plug-in does not load: " + loader_error() +
                           (looked_everywhere ? "; it is built where the CUDA toolkit is (docs/gpu.md)" : ""));
    }
    const auto function = reinterpret_cast<sdfleet_nccl_plugin_function>(::dlsym(handle, SDFLEET_NCCL_PLUGIN_SYMBOL));
    if (function == nullptr) {
        return unavailable(file + " is no GPU plug-in of this version: it has no " SDFLEET_NCCL_PLUGIN_SYMBOL);
    }
    const auto* table = function();
    if (table == nullptr || table->abi_version != SDFLEET_NCCL_PLUGIN_ABI || table->table_bytes < sizeof(*table)) {
        const auto version = table != nullptr ? table->abi_version : 0;
        return unavailable(file + " has version " + std::to_string(version) +
                           " of the plug-in interface, this program " + std::to_string(SDFLEET_NCCL_PLUGIN_ABI) +
                           ": build both from the same sources");
    }
    if (!is_whole(*table)) {
        return unavailable(file + " has a plug-in table with holes");
    }
    return NcclPlugin(*table, file);
}

Result<sdfleet_nccl_facts> NcclPlugin::probe(int device) const
{
    sdfleet_nccl_facts facts{};
    sdfleet_nccl_text why{};
    if (table_->probe(device, &facts, &why) != SDFLEET_NCCL_DONE) {
        return unavailable(text_of(why.text));
    }
    return facts;
}

} // namespace sdfleet::collective
