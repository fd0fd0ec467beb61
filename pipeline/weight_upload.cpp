// SPDX-License-Identifier: Apache-2.0
#include "pipeline/weight_upload.hpp"

#include "pipeline/device_facts.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace sdfleet::pipeline {

namespace {

/// A page-locked piece of memory that may be on its way to the device.
class Buffer {
public:
    Buffer(at::Device device, std::size_t bytes)
        : device_(device), memory_(at::empty({static_cast<std::int64_t>(bytes)},
                                             at::TensorOptions().dtype(at::kByte).pinned_memory(!device.is_cpu())))
    {
    }

    /// Waits until what was sent from here last has arrived.
    void send(std::span<const std::byte> bytes, const at::Tensor& to)
    {
        if (under_way_) {
            under_way_->synchronize();
        }
        std::memcpy(memory_.mutable_data_ptr(), bytes.data(), bytes.size());
        to.copy_(memory_.narrow(0, 0, static_cast<std::int64_t>(bytes.size())), /*non_blocking=*/true);
        if (!device_.is_cpu()) {
            under_way_.emplace(device_.type());
            under_way_->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
        }
    }

private:
    at::Device device_;
    at::Tensor memory_;
    std::optional<c10::Event> under_way_;
};

} // namespace

/// One of the threads: takes the next transfer that nobody has, until there is none.
class WeightUpload::Reader {
public:
    Reader(const WeightUpload& upload, std::atomic<std::size_t>& next) : upload_(upload), next_(next) {}

    void run()
    {
        const c10::InferenceMode inference; // per thread
        std::vector<Buffer> buffers;
        for (std::size_t turn = 0;; ++turn) {
            const std::size_t mine = next_.fetch_add(1);
            if (mine >= upload_.transfers_.size()) {
                return;
            }
            if (buffers.size() < upload_.limits_.chunks_per_thread) {
                buffers.emplace_back(upload_.options_.device(), upload_.limits_.chunk_bytes);
            }
            const Transfer& transfer = upload_.transfers_[mine];
            buffers[turn % upload_.limits_.chunks_per_thread].send(transfer.from, transfer.to);
        }
    }

private:
    const WeightUpload& upload_;
    std::atomic<std::size_t>& next_;
};

at::Tensor WeightUpload::add(std::span<const std::byte> bytes, at::IntArrayRef shape, at::ScalarType from)
{
    at::Tensor result = at::empty(shape, options_);
    const at::Tensor arriving =
        result.scalar_type() == from ? result : at::empty(shape, options_.dtype(from)); // converted when it is there
    if (arriving.numel() == 0) {
        return result;
    }
    const at::Tensor to = arriving.view(-1).view(at::kByte);
    for (std::size_t begin = 0; begin < bytes.size(); begin += limits_.chunk_bytes) {
        const std::size_t size = std::min(limits_.chunk_bytes, bytes.size() - begin);
        transfers_.push_back({bytes.subspan(begin, size),
                              to.narrow(0, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(size))});
    }
    if (!arriving.is_same(result)) {
        conversions_.push_back({arriving, result});
    }
    return result;
}

void WeightUpload::run()
{
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    {
        std::vector<std::jthread> readers;
        for (std::size_t i = 0; i < std::min(limits_.threads, transfers_.size()); ++i) {
            readers.emplace_back([&] {
                try {
                    Reader(*this, next).run();
                } catch (...) {
                    next = transfers_.size(); // the others need not go on
                    const std::scoped_lock lock(mutex);
                    failure = std::current_exception();
                }
            });
        }
    }
    transfers_.clear();
    auto conversions = std::exchange(conversions_, {});
    if (failure) {
        std::rethrow_exception(failure);
    }
    while (!conversions.empty()) {
        conversions.back().to.copy_(conversions.back().from);
        conversions.pop_back(); // and with it its memory
    }
    wait_for(options_.device());
}

} // namespace sdfleet::pipeline
