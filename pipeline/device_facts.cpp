// SPDX-License-Identifier: Apache-2.0
#include "pipeline/device_facts.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sdfleet::pipeline {

DeviceMemory device_memory(at::Device device)
{
    DeviceMemory memory;
    if (device.is_cpu()) {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        memory.total_bytes = page * static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
        memory.free_bytes = page * static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES));
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        memory.peak_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
        return memory;
    }
    auto* allocator = c10::getDeviceAllocator(device.type());
    const auto [free, total] = allocator->getMemoryInfo(device.index());
    memory.free_bytes = free;
    memory.total_bytes = total;
    const auto stats = allocator->getDeviceStats(device.index());
    memory.peak_bytes = static_cast<std::uint64_t>(stats.reserved_bytes.front().peak);
    return memory;
}

void release_cached_memory(at::Device device)
{
    if (!device.is_cpu()) {
        c10::getDeviceAllocator(device.type())->emptyCache();
    }
}

void wait_for(at::Device device)
{
    if (!device.is_cpu()) {
        c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
    }
}

} // namespace sdfleet::pipeline
