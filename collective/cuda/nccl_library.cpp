// SPDX-License-Identifier: Apache-2.0
#include "collective/cuda/nccl_library.hpp"

#include <dlfcn.h>

namespace sdfleet::cuda {

namespace {

constexpr const char* file_name = "libnccl.so.2";

std::string loader_error()
{
    const char* text = ::dlerror();
    return text != nullptr ? text : "unknown error";
}

/// Which file a function came from.
std::string path_of(void* function)
{
    Dl_info info{};
    return ::dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : file_name;
}

/// Looks functions up and remembers the first that is missing.
class Symbols {
public:
    explicit Symbols(void* library) : library_(library) {}

    template <class Function>
    void required(const char* name, Function& function)
    {
        optional(name, function);
        if (function == nullptr && missing_.empty()) {
            missing_ = name;
        }
    }

    template <class Function>
    void optional(const char* name, Function& function)
    {
        function = reinterpret_cast<Function>(::dlsym(library_, name));
    }

    const std::string& missing() const { return missing_; }

private:
    void* library_;
    std::string missing_;
};

std::string look_up(void* handle, NcclLibrary& nccl)
{
    Symbols symbols(handle);
    symbols.required("ncclGetVersion", nccl.get_version);
    symbols.required("ncclGetUniqueId", nccl.get_unique_id);
    symbols.required("ncclGetErrorString", nccl.get_error_string);
    symbols.required("ncclGetLastError", nccl.get_last_error);
    symbols.required("ncclCommInitRankConfig", nccl.comm_init_rank_config);
    symbols.required("ncclCommGetAsyncError", nccl.comm_get_async_error);
    symbols.required("ncclCommFinalize", nccl.comm_finalize);
    symbols.required("ncclCommAbort", nccl.comm_abort);
    symbols.required("ncclAllReduce", nccl.all_reduce);
    symbols.required("ncclBroadcast", nccl.broadcast);
    symbols.required("ncclAllGather", nccl.all_gather);
    symbols.required("ncclSend", nccl.send);
    symbols.required("ncclRecv", nccl.recv);
    symbols.required("ncclGroupStart", nccl.group_start);
    symbols.required("ncclGroupEnd", nccl.group_end);
    symbols.optional("ncclGather", nccl.gather);
    symbols.optional("ncclScatter", nccl.scatter);
    return symbols.missing();
}

tl::expected<NcclLibrary, std::string> open_library()
{
    // First the one that is in this process already. RTLD_LOCAL: nobody else's calls are to end in ours.
    void* handle = ::dlopen(file_name, RTLD_NOW | RTLD_NOLOAD);
    if (handle == nullptr) {
        handle = ::dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
    }
    if (handle == nullptr) {
        return tl::unexpected("NCCL is missing: " + loader_error());
    }
    NcclLibrary nccl;
    if (const auto missing = look_up(handle, nccl); !missing.empty()) {
        return tl::unexpected(path_of(::dlsym(handle, "ncclGetVersion")) + " is no NCCL that fits: it has no " +
                              missing);
    }
    nccl.path = path_of(reinterpret_cast<void*>(nccl.get_version));
    if (nccl.get_version(&nccl.version) != ncclSuccess) {
        return tl::unexpected(nccl.path + " does not tell its version");
    }
    // Newer libraries understand the header's structs; older ones need not.
    if (nccl.version < NCCL_VERSION_CODE) {
        return tl::unexpected(nccl.path + " is NCCL " + nccl_version_text(nccl.version) + ", older than the " +
                              nccl_version_text(NCCL_VERSION_CODE) + " that the plug-in was built with");
    }
    return nccl;
}

} // namespace

const tl::expected<NcclLibrary, std::string>& nccl_library()
{
    static const auto library = open_library();
    return library;
}

std::string nccl_version_text(int version)
{
    // Up to 2.8 a thousand stood for the major version, since then ten thousand.
    const int major_unit = version >= 10'000 ? 10'000 : 1'000;
    return std::to_string(version / major_unit) + "." + std::to_string(version % major_unit / 100) + "." +
           std::to_string(version % 100);
}

} // namespace sdfleet::cuda
