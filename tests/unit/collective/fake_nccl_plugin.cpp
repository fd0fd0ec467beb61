// SPDX-License-Identifier: Apache-2.0
#include "fake_nccl.h"

#include "collective/cuda/nccl_plugin.h"

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#ifndef FAKE_NCCL_ABI
#define FAKE_NCCL_ABI SDFLEET_NCCL_PLUGIN_ABI
#endif

namespace {

using Operation = sdfleet_nccl_operation;

std::atomic<int> fault{fake_nccl_works};
std::atomic<int> open_communicators{0};
std::atomic<int> started{0};
std::atomic<int> misuses{0};

sdfleet_nccl_status say(sdfleet_nccl_status status, const char* text, sdfleet_nccl_text* why)
{
    std::strncpy(why->text, text, sizeof why->text - 1);
    return status;
}

std::byte* bytes(void* pointer)
{
    return static_cast<std::byte*>(pointer);
}

void copy(void* to, const void* from, std::size_t count)
{
    if (count > 0 && to != from) {
        std::memcpy(to, from, count);
    }
}

/// What the ranks of one unique id share. An operation is done by whoever completes it, for all.
class Group {
public:
    explicit Group(std::uint32_t world_size) : pending_(world_size) {}

    void join() { ++joined_; }
    bool is_formed() const { return joined_ == pending_.size(); }
    bool is_pending(std::uint32_t rank) const { return pending_[rank].has_value(); }

    void post(std::uint32_t rank, const Operation& operation)
    {
        pending_[rank] = operation;
        if (is_broken_ || fault.load() == fake_nccl_stalls) {
            return;
        }
        pass_message(rank);
        run_collective();
    }

    /// A rank ends its communicator: nobody touches its memory any more, and what the others wait for does not come.
    void leave(std::uint32_t rank)
    {
        pending_[rank].reset();
        is_broken_ = true;
    }

private:
    void pass_message(std::uint32_t rank)
    {
        const auto peer = pending_[rank]->peer_or_root;
        if (pending_[rank]->kind < SDFLEET_NCCL_SEND || !pending_[peer] || pending_[peer]->peer_or_root != rank) {
            return;
        }
        const bool sends = pending_[rank]->kind == SDFLEET_NCCL_SEND;
        const auto& from = *pending_[sends ? rank : peer];
        const auto& to = *pending_[sends ? peer : rank];
        if (from.kind == SDFLEET_NCCL_SEND && to.kind == SDFLEET_NCCL_RECV) {
            copy(to.output, from.input, from.count);
            pending_[rank].reset();
            pending_[peer].reset();
        }
    }

    void run_collective()
    {
        for (const auto& operation : pending_) {
            if (!operation || operation->kind >= SDFLEET_NCCL_SEND || operation->kind != pending_[0]->kind) {
                return;
            }
        }
        run(pending_[0]->kind);
        pending_.assign(pending_.size(), std::nullopt);
    }

    void run(sdfleet_nccl_operation_kind kind)
    {
        const auto& root = *pending_[pending_[0]->peer_or_root];
        const auto count = root.count;
        if (kind == SDFLEET_NCCL_ALL_REDUCE) {
            return add_floats();
        }
        for (std::size_t rank = 0; rank < pending_.size(); ++rank) {
            const auto& own = *pending_[rank];
            if (kind == SDFLEET_NCCL_BROADCAST) {
                copy(own.output, root.input, count);
            } else if (kind == SDFLEET_NCCL_SCATTER) {
                copy(own.output, static_cast<const std::byte*>(root.input) + rank * count, count);
            } else if (kind == SDFLEET_NCCL_GATHER) {
                copy(bytes(root.output) + rank * count, own.input, count);
            } else if (kind == SDFLEET_NCCL_ALL_GATHER) {
                for (const auto& to : pending_) {
                    copy(bytes(to->output) + rank * count, own.input, count);
                }
            }
        }
    }

    /// The sum of floats alone: what the plug-in reduces is its own test's affair.
    void add_floats()
    {
        for (std::size_t i = 0; i < pending_[0]->count; ++i) {
            float sum = 0;
            for (const auto& operation : pending_) {
                sum += static_cast<const float*>(operation->input)[i];
            }
            for (const auto& operation : pending_) {
                static_cast<float*>(operation->output)[i] = sum;
            }
        }
    }

    std::vector<std::optional<Operation>> pending_;
    std::size_t joined_ = 0;
    bool is_broken_ = false;
};

std::mutex mutex; // of all groups and communicators
std::map<std::string, std::shared_ptr<Group>> groups;

} // namespace

struct sdfleet_nccl_communicator {
    std::shared_ptr<Group> group;
    std::uint32_t rank = 0;
    bool closed = false;
};

namespace {

sdfleet_nccl_status probe(int32_t device, sdfleet_nccl_facts* facts, sdfleet_nccl_text* why)
{
    *facts = {};
    switch (fault.load()) {
    case fake_nccl_no_driver:
        return say(SDFLEET_NCCL_NO_DRIVER, "no GPU driver: libcuda.so.1 is missing", why);
    case fake_nccl_no_library:
        return say(SDFLEET_NCCL_NO_LIBRARY, "NCCL is missing", why);
    default:
        break;
    }
    if (fault.load() == fake_nccl_no_device || device > 1) {
        return say(SDFLEET_NCCL_NO_DEVICE, "no CUDA device", why);
    }
    facts->nccl_version = device == 0 ? 22809 : 23007;
    facts->device_count = 2;
    return SDFLEET_NCCL_DONE;
}

sdfleet_nccl_status configure(const sdfleet_nccl_environment*, sdfleet_nccl_text*)
{
    return SDFLEET_NCCL_DONE;
}

sdfleet_nccl_status unique_id(uint8_t id[SDFLEET_NCCL_UNIQUE_ID_BYTES], sdfleet_nccl_text* why)
{
    if (fault.load() == fake_nccl_no_unique_id) {
        return say(SDFLEET_NCCL_FAILED, "no interface found", why);
    }
    static std::atomic<std::uint64_t> next{1};
    const auto number = next++;
    std::memset(id, 0xab, SDFLEET_NCCL_UNIQUE_ID_BYTES);
    std::memcpy(id, &number, sizeof number);
    return SDFLEET_NCCL_DONE;
}

sdfleet_nccl_status create(const sdfleet_nccl_communicator_options* options, sdfleet_nccl_communicator** communicator,
                           sdfleet_nccl_text*)
{
    const std::lock_guard lock(mutex);
    const std::string id(reinterpret_cast<const char*>(options->unique_id), SDFLEET_NCCL_UNIQUE_ID_BYTES);
    auto& group = groups[id];
    if (!group) {
        group = std::make_shared<Group>(options->world_size);
    }
    group->join();
    *communicator = new sdfleet_nccl_communicator{group, options->rank};
    ++open_communicators;
    return SDFLEET_NCCL_PENDING;
}

sdfleet_nccl_status start(sdfleet_nccl_communicator* communicator, const Operation* operation, sdfleet_nccl_text* why)
{
    const std::lock_guard lock(mutex);
    if (communicator->closed || communicator->group->is_pending(communicator->rank)) {
        ++misuses;
        return say(SDFLEET_NCCL_INVALID, "the communicator is busy", why);
    }
    ++started;
    communicator->group->post(communicator->rank, *operation);
    return SDFLEET_NCCL_PENDING;
}

sdfleet_nccl_status poll(sdfleet_nccl_communicator* communicator, sdfleet_nccl_text* why)
{
    const std::lock_guard lock(mutex);
    if (communicator->closed) {
        ++misuses;
        return say(SDFLEET_NCCL_INVALID, "closed", why);
    }
    if (communicator->group->is_formed() && !communicator->group->is_pending(communicator->rank)) {
        return SDFLEET_NCCL_DONE;
    }
    switch (fault.load()) {
    case fake_nccl_network_error:
        return say(SDFLEET_NCCL_PEER_LOST, "remote process exited or there was a network error", why);
    case fake_nccl_internal_error:
        return say(SDFLEET_NCCL_FAILED, "internal error", why);
    default:
        return SDFLEET_NCCL_PENDING;
    }
}

void close(sdfleet_nccl_communicator* communicator, uint32_t)
{
    const std::lock_guard lock(mutex);
    misuses += communicator->closed ? 1 : 0;
    communicator->group->leave(communicator->rank);
    communicator->closed = true;
}

sdfleet_nccl_status poll_closed(sdfleet_nccl_communicator* communicator)
{
    if (fault.load() == fake_nccl_abort_hangs) {
        return SDFLEET_NCCL_PENDING;
    }
    delete communicator;
    --open_communicators;
    return SDFLEET_NCCL_DONE;
}

constexpr sdfleet_nccl_plugin table{
    FAKE_NCCL_ABI, sizeof(sdfleet_nccl_plugin), probe, configure, unique_id, create, start, poll, close, poll_closed,
};

} // namespace

extern "C" {

void fake_nccl_set_fault(fake_nccl_fault wanted)
{
    fault = wanted;
}

int fake_nccl_open()
{
    return open_communicators;
}

int fake_nccl_started()
{
    return started;
}

int fake_nccl_misuses()
{
    return misuses;
}

const sdfleet_nccl_plugin* sdfleet_nccl_plugin_v1()
{
    return &table;
}
}
