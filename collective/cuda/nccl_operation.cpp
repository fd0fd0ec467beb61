// SPDX-License-Identifier: Apache-2.0
#include "collective/cuda/nccl_operation.hpp"

#include "collective/element_type.hpp"

#include <array>

namespace sdfleet::cuda {

namespace {

using collective::ElementType;
using collective::ReduceOp;

// By the numbers of ElementType and ReduceOp.
constexpr std::array element_types{ncclUint8,   ncclInt8,     ncclInt32,   ncclInt64,
                                   ncclFloat16, ncclBfloat16, ncclFloat32, ncclFloat64};
constexpr std::array reductions{ncclSum, ncclProd, ncclMin, ncclMax, ncclAvg};
static_assert(element_types[static_cast<std::size_t>(ElementType::float16)] == ncclFloat16);
static_assert(element_types[static_cast<std::size_t>(ElementType::float64)] == ncclFloat64);
static_assert(reductions[static_cast<std::size_t>(ReduceOp::avg)] == ncclAvg);

template <class Table>
bool is_index(std::int32_t number, const Table& table)
{
    return number >= 0 && static_cast<std::size_t>(number) < table.size();
}

/// Keeps the first failure of several calls. A non-blocking communicator answers ncclInProgress for "accepted".
class FirstFailure {
public:
    void operator()(ncclResult_t result)
    {
        if (result_ == ncclSuccess || result_ == ncclInProgress) {
            result_ = result;
        }
    }
    ncclResult_t result() const { return result_; }

private:
    ncclResult_t result_ = ncclSuccess;
};

struct Rooted {
    const NcclPlace& place;
    const sdfleet_nccl_operation& operation;

    bool is_root() const { return place.rank == operation.peer_or_root; }
    int root() const { return static_cast<int>(operation.peer_or_root); }

    /// `each` is called, in one NCCL group, for every rank with the offset of its part.
    template <class Each>
    ncclResult_t in_one_group(const Each& each) const
    {
        FirstFailure failure;
        failure(place.nccl.group_start());
        each(failure);
        // Also after a failure: an open group would swallow the thread's later calls.
        failure(place.nccl.group_end());
        return failure.result();
    }

    ncclResult_t gather() const
    {
        if (place.nccl.gather != nullptr) {
            return place.nccl.gather(operation.input, operation.output, operation.count, ncclUint8, root(),
                                     place.communicator, place.stream);
        }
        return in_one_group([&](FirstFailure& failure) {
            failure(
                place.nccl.send(operation.input, operation.count, ncclUint8, root(), place.communicator, place.stream));
            for (std::uint32_t rank = 0; is_root() && rank < place.world_size; ++rank) {
                failure(place.nccl.recv(static_cast<std::byte*>(operation.output) + rank * operation.count,
                                        operation.count, ncclUint8, static_cast<int>(rank), place.communicator,
                                        place.stream));
            }
        });
    }

    ncclResult_t scatter() const
    {
        if (place.nccl.scatter != nullptr) {
            return place.nccl.scatter(operation.input, operation.output, operation.count, ncclUint8, root(),
                                      place.communicator, place.stream);
        }
        return in_one_group([&](FirstFailure& failure) {
            for (std::uint32_t rank = 0; is_root() && rank < place.world_size; ++rank) {
                failure(place.nccl.send(static_cast<const std::byte*>(operation.input) + rank * operation.count,
                                        operation.count, ncclUint8, static_cast<int>(rank), place.communicator,
                                        place.stream));
            }
            failure(place.nccl.recv(operation.output, operation.count, ncclUint8, root(), place.communicator,
                                    place.stream));
        });
    }
};

} // namespace

Outcome check_operation(const NcclPlace& place, const sdfleet_nccl_operation& operation)
{
    const auto kind = operation.kind;
    if (kind < SDFLEET_NCCL_BARRIER || kind > SDFLEET_NCCL_RECV) {
        return {SDFLEET_NCCL_INVALID, "no operation has the number " + std::to_string(kind)};
    }
    if (kind == SDFLEET_NCCL_ALL_REDUCE &&
        (!is_index(operation.element, element_types) || !is_index(operation.reduction, reductions))) {
        return {SDFLEET_NCCL_INVALID, "unknown element type or reduction"};
    }
    const bool names_a_rank =
        kind != SDFLEET_NCCL_BARRIER && kind != SDFLEET_NCCL_ALL_REDUCE && kind != SDFLEET_NCCL_ALL_GATHER;
    if (names_a_rank && operation.peer_or_root >= place.world_size) {
        return {SDFLEET_NCCL_INVALID, "there is no rank " + std::to_string(operation.peer_or_root)};
    }
    const bool at_root = operation.peer_or_root == place.rank;
    if ((kind == SDFLEET_NCCL_SEND || kind == SDFLEET_NCCL_RECV) && at_root) {
        return {SDFLEET_NCCL_INVALID, "a rank cannot send to itself"};
    }
    const bool reads = kind != SDFLEET_NCCL_BARRIER && kind != SDFLEET_NCCL_RECV &&
                       (at_root || (kind != SDFLEET_NCCL_BROADCAST && kind != SDFLEET_NCCL_SCATTER));
    const bool writes =
        kind != SDFLEET_NCCL_BARRIER && kind != SDFLEET_NCCL_SEND && (at_root || kind != SDFLEET_NCCL_GATHER);
    if (operation.count > 0 && ((reads && operation.input == nullptr) || (writes && operation.output == nullptr))) {
        return {SDFLEET_NCCL_INVALID, "a buffer is missing"};
    }
    return {};
}

ncclResult_t enqueue_operation(const NcclPlace& place, const sdfleet_nccl_operation& operation)
{
    const auto& nccl = place.nccl;
    const int peer = static_cast<int>(operation.peer_or_root);
    switch (operation.kind) {
    case SDFLEET_NCCL_BARRIER:
        // NCCL has no barrier: no rank can have the sum before all have come.
        return nccl.all_reduce(place.barrier_memory, place.barrier_memory, 1, ncclInt32, ncclMax, place.communicator,
                               place.stream);
    case SDFLEET_NCCL_ALL_REDUCE:
        return nccl.all_reduce(operation.input, operation.output, operation.count,
                               element_types[static_cast<std::size_t>(operation.element)],
                               reductions[static_cast<std::size_t>(operation.reduction)], place.communicator,
                               place.stream);
    case SDFLEET_NCCL_BROADCAST:
        return nccl.broadcast(operation.input, operation.output, operation.count, ncclUint8, peer, place.communicator,
                              place.stream);
    case SDFLEET_NCCL_GATHER:
        return Rooted{place, operation}.gather();
    case SDFLEET_NCCL_ALL_GATHER:
        return nccl.all_gather(operation.input, operation.output, operation.count, ncclUint8, place.communicator,
                               place.stream);
    case SDFLEET_NCCL_SCATTER:
        return Rooted{place, operation}.scatter();
    case SDFLEET_NCCL_SEND:
        return nccl.send(operation.input, operation.count, ncclUint8, peer, place.communicator, place.stream);
    default:
        return nccl.recv(operation.output, operation.count, ncclUint8, peer, place.communicator, place.stream);
    }
}

} // namespace sdfleet::cuda
