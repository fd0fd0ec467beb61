// SPDX-License-Identifier: Apache-2.0
// libnccl.so.2 over shared memory and the emulated CUDA, for two ranks. It keeps NCCL's manners with non-blocking communicators:
// what is called is accepted, and reaches the stream only later; a lost rank shows in ncclCommGetAsyncError alone, the stream
// waits until ncclCommAbort. SDFLEET_EMULATED_NCCL=refuse: two ranks on one GPU are refused.
#include "emulated_stream.hpp"
#include "shared_group.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <nccl.h>
#include <unistd.h>

using sdfleet::emulation::SharedGroup;
using Work = std::function<void()>;

namespace {

/// Gone, or a zombie that its parent did not bury yet.
bool is_dead(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    return name_end == std::string::npos || line.compare(name_end, 3, ") Z") == 0;
}

} // namespace

struct ncclComm {
    SharedGroup* group = nullptr;
    std::uint32_t rank = 0;
    std::uint32_t world_size = 1;
    std::atomic<ncclResult_t> state{ncclInProgress};
    std::atomic<bool> aborted{false};
    std::atomic<int> on_stream{0};
    std::future<void> worker; ///< of what was accepted last

    /// Until `condition`, or an abort: then false.
    bool wait(const std::function<bool()>& condition)
    {
        while (!condition()) {
            if (aborted) {
                return false;
            }
            look_for_the_dead();
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        return true;
    }

    void look_for_the_dead()
    {
        for (auto& pid : group->pids) {
            if (pid != 0 && is_dead(pid)) {
                state = ncclRemoteError;
            }
        }
    }

    void send(std::uint32_t to, const void* data, std::size_t size)
    {
        auto& cell = group->cells[rank][to];
        if (size <= sizeof cell.data && wait([&] { return !cell.full; })) {
            std::memcpy(cell.data, data, size);
            cell.full = true;
        }
    }

    void receive(std::uint32_t from, void* data, std::size_t size)
    {
        auto& cell = group->cells[from][rank];
        if (size <= sizeof cell.data && wait([&] { return cell.full.load(); })) {
            std::memcpy(data, cell.data, size);
            cell.full = false;
        }
    }

    /// Accepts it; it reaches the stream a little later.
    ncclResult_t accept(cudaStream_t stream, Work work)
    {
        if (state != ncclSuccess) {
            return ncclInvalidUsage;
        }
        state = ncclInProgress;
        worker = std::async(std::launch::async, [this, stream, work = std::move(work)] {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            ++on_stream;
            emulated_enqueue(stream, [this, work] {
                work();
                --on_stream;
            });
            auto expected = ncclInProgress;
            state.compare_exchange_strong(expected, ncclSuccess);
        });
        return ncclInProgress;
    }
};

namespace {

bool refuses_two_ranks()
{
    const char* mood = std::getenv("SDFLEET_EMULATED_NCCL");
    return mood != nullptr && std::strcmp(mood, "refuse") == 0;
}

std::size_t size_of(ncclDataType_t type)
{
    switch (type) {
    case ncclInt8:
    case ncclUint8:
        return 1;
    case ncclFloat16:
    case ncclBfloat16:
        return 2;
    case ncclInt64:
    case ncclFloat64:
        return 8;
    default:
        return 4;
    }
}

template <class Element>
void reduce_as(void* into, const void* other, std::size_t count, ncclRedOp_t op)
{
    auto* a = static_cast<Element*>(into);
    const auto* b = static_cast<const Element*>(other);
    for (std::size_t i = 0; i < count; ++i) {
        a[i] = op == ncclMax ? std::max(a[i], b[i]) : a[i] + b[i];
        if (op == ncclAvg) {
            a[i] /= 2; // of two ranks
        }
    }
}

/// The types and reductions that nccl_test uses.
bool can_reduce(ncclDataType_t type, ncclRedOp_t op)
{
    return (type == ncclFloat32 || type == ncclFloat64 || type == ncclInt32) &&
           (op == ncclSum || op == ncclMax || op == ncclAvg);
}

void reduce(void* into, const void* other, std::size_t count, ncclDataType_t type, ncclRedOp_t op)
{
    type == ncclFloat32   ? reduce_as<float>(into, other, count, op)
    : type == ncclFloat64 ? reduce_as<double>(into, other, count, op)
                          : reduce_as<std::int32_t>(into, other, count, op);
}

std::byte* part(void* whole, std::uint32_t rank, std::size_t size)
{
    return static_cast<std::byte*>(whole) + rank * size;
}

void copy(void* to, const void* from, std::size_t size)
{
    if (to != from) {
        std::memmove(to, from, size);
    }
}

// Of a thread's open group: sends, then receives, on one stream.
struct OpenGroup {
    int depth = 0;
    ncclComm_t communicator = nullptr;
    cudaStream_t stream = nullptr;
    std::vector<Work> sends;
    std::vector<Work> receives;
};
thread_local OpenGroup open_group;

ncclResult_t accept_in_group(ncclComm_t communicator, cudaStream_t stream, bool is_send, Work work)
{
    if (open_group.depth == 0) {
        return communicator->accept(stream, std::move(work));
    }
    open_group.communicator = communicator;
    open_group.stream = stream;
    (is_send ? open_group.sends : open_group.receives).push_back(std::move(work));
    return ncclSuccess;
}

} // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version)
{
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result)
{
    return result == ncclRemoteError ? "remote process exited" : "emulated error";
}

const char* ncclGetLastError(ncclComm_t)
{
    return "";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id)
{
    static std::atomic<int> next{0};
    const auto name = "/sdfleet-emulated-nccl-" + std::to_string(::getpid()) + "-" + std::to_string(next++);
    std::memset(id->internal, 0, sizeof id->internal);
    std::memcpy(id->internal, name.data(), name.size());
    return SharedGroup::create(name) ? ncclSuccess : ncclSystemError;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int nranks, ncclUniqueId id, int rank, ncclConfig_t* config)
{
    const std::string name(id.internal);
    auto* group = SharedGroup::open(name);
    if (group == nullptr || config->blocking != 0 || nranks > static_cast<int>(sdfleet::emulation::most_ranks)) {
        return ncclInvalidUsage;
    }
    auto* communicator = new ncclComm;
    communicator->group = group;
    communicator->rank = static_cast<std::uint32_t>(rank);
    communicator->world_size = static_cast<std::uint32_t>(nranks);
    *comm = communicator;
    communicator->worker = std::async(std::launch::async, [=] {
        const char* host = std::getenv("NCCL_HOSTID");
        std::strncpy(group->host_ids[rank], host != nullptr ? host : "", sizeof group->host_ids[rank] - 1);
        group->pids[rank] = ::getpid();
        ++group->joined;
        if (!communicator->wait([&] { return static_cast<int>(group->joined) >= nranks; })) {
            return;
        }
        if (rank == 0) {
            SharedGroup::forget(name);
        }
        const bool same_host = nranks > 1 && std::strcmp(group->host_ids[0], group->host_ids[1]) == 0;
        communicator->state = nranks > 1 && (same_host || refuses_two_ranks()) ? ncclInvalidUsage : ncclSuccess;
    });
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error)
{
    *error = comm->state;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm)
{
    comm->worker.wait();
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm)
{
    comm->aborted = true;
    comm->worker.wait();
    while (comm->on_stream > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    comm->group->close();
    delete comm;
    return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* input, void* output, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream)
{
    if (!can_reduce(type, op)) {
        return ncclInvalidArgument;
    }
    return comm->accept(stream, [=] {
        const std::size_t size = count * size_of(type);
        copy(output, input, size);
        if (comm->world_size > 1) {
            std::vector<std::byte> other(size);
            comm->send(1 - comm->rank, output, size);
            comm->receive(1 - comm->rank, other.data(), size);
            reduce(output, other.data(), count, type, op);
        }
    });
}

ncclResult_t ncclBroadcast(const void* input, void* output, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream)
{
    return comm->accept(stream, [=] {
        const std::size_t size = count * size_of(type);
        if (static_cast<int>(comm->rank) != root) {
            return comm->receive(static_cast<std::uint32_t>(root), output, size);
        }
        copy(output, input, size);
        if (comm->world_size > 1) {
            comm->send(1 - comm->rank, output, size);
        }
    });
}

ncclResult_t ncclAllGather(const void* input, void* output, size_t count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream)
{
    return comm->accept(stream, [=] {
        const std::size_t size = count * size_of(type);
        copy(part(output, comm->rank, size), input, size);
        if (comm->world_size > 1) {
            comm->send(1 - comm->rank, input, size);
            comm->receive(1 - comm->rank, part(output, 1 - comm->rank, size), size);
        }
    });
}

ncclResult_t ncclSend(const void* input, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream)
{
    return accept_in_group(comm, stream, true,
                           [=] { comm->send(static_cast<std::uint32_t>(peer), input, count * size_of(type)); });
}

ncclResult_t ncclRecv(void* output, size_t count, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream)
{
    return accept_in_group(comm, stream, false,
                           [=] { comm->receive(static_cast<std::uint32_t>(peer), output, count * size_of(type)); });
}

ncclResult_t ncclGroupStart()
{
    ++open_group.depth;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd()
{
    if (--open_group.depth > 0 || open_group.communicator == nullptr) {
        return ncclSuccess;
    }
    const auto group = std::exchange(open_group, {});
    return group.communicator->accept(group.stream, [sends = group.sends, receives = group.receives] {
        for (const auto* all : {&sends, &receives}) {
            for (const auto& work : *all) {
                work();
            }
        }
    });
}

#ifdef EMULATED_NCCL_HAS_GATHER
ncclResult_t ncclGather(const void* input, void* output, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                        cudaStream_t stream)
{
    return comm->accept(stream, [=] {
        const std::size_t size = count * size_of(type);
        if (static_cast<int>(comm->rank) != root) {
            return comm->send(static_cast<std::uint32_t>(root), input, size);
        }
        copy(part(output, comm->rank, size), input, size);
        if (comm->world_size > 1) {
            comm->receive(1 - comm->rank, part(output, 1 - comm->rank, size), size);
        }
    });
}

ncclResult_t ncclScatter(const void* input, void* output, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                         cudaStream_t stream)
{
    return comm->accept(stream, [=] {
        const std::size_t size = count * size_of(type);
        if (static_cast<int>(comm->rank) != root) {
            return comm->receive(static_cast<std::uint32_t>(root), output, size);
        }
        auto* whole = const_cast<void*>(input);
        copy(output, part(whole, comm->rank, size), size);
        if (comm->world_size > 1) {
            comm->send(1 - comm->rank, part(whole, 1 - comm->rank, size), size);
        }
    });
}
#endif
}
