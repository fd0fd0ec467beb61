// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace sdfleet::gpu_test {

/// Where the arrays of the kernels under test lie.
class KernelMemory {
public:
    virtual ~KernelMemory() = default;
    /// Aligned to 256 bytes; throws where there is none.
    virtual std::byte* allocate(std::size_t bytes) = 0;
    virtual void release(std::byte* memory) = 0;
    virtual void write(std::byte* to, const void* from, std::size_t bytes) = 0;
    /// After all that the kernels have been asked for; throws what went wrong with it.
    virtual void read(void* to, const std::byte* from, std::size_t bytes) = 0;
};

/// This program's own memory, for kernels that the CPU runs.
class HostMemory final : public KernelMemory {
public:
    std::byte* allocate(std::size_t bytes) override
    {
        return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{256}));
    }
    void release(std::byte* memory) override { ::operator delete (memory, std::align_val_t{256}); }
    void write(std::byte* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
    void read(void* to, const std::byte* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
};

/// An array in such memory, between two strips that nobody may write.
class KernelArray {
public:
    KernelArray(KernelMemory& memory, const std::vector<std::byte>& content)
        : memory_(memory), bytes_(content.size()), begin_(memory.allocate(bytes_ + 2 * strip))
    {
        std::vector<std::byte> all(bytes_ + 2 * strip, untouched);
        std::copy(content.begin(), content.end(), all.begin() + strip);
        memory_.write(begin_, all.data(), all.size());
    }
    KernelArray(const KernelArray&) = delete;
    KernelArray& operator=(const KernelArray&) = delete;
    ~KernelArray() { memory_.release(begin_); }

    void* data() const { return begin_ + strip; }

    /// Throws where a strip was written.
    std::vector<std::byte> read() const
    {
        std::vector<std::byte> all(bytes_ + 2 * strip);
        memory_.read(all.data(), begin_, all.size());
        for (std::size_t i = 0; i < strip; ++i) {
            if (all[i] != untouched || all[strip + bytes_ + i] != untouched) {
                throw std::runtime_error("a kernel wrote beside its array of " + std::to_string(bytes_) + " bytes");
            }
        }
        return {all.begin() + strip, all.end() - static_cast<std::ptrdiff_t>(strip)};
    }

private:
    static constexpr std::size_t strip = 256;
    static constexpr std::byte untouched{0xb5};

    KernelMemory& memory_;
    std::size_t bytes_;
    std::byte* begin_;
};

} // namespace sdfleet::gpu_test
