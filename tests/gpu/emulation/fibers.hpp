// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <vector>

#include <ucontext.h>

namespace sdfleet::gpu_test {

struct dim3 {
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
    unsigned x, y, z;
};

/// Calls `run` for each block of the grid: as many as a GPU takes, or std::invalid_argument.
void for_each_block(dim3 grid, const std::function<void(dim3)>& run);

/// In which order the warps of a block, and the threads of a warp, run between two barriers. A result that depends on it lacks a barrier.
enum class FiberOrder { forwards, backwards, shuffled };
void set_fiber_order(FiberOrder order);

/// The threads of one block. Throws std::logic_error where a GPU would hang or give nonsense: when threads wait for others that
/// have ended, or that wait elsewhere.
class BlockOfFibers {
public:
    BlockOfFibers(unsigned threads, std::function<void()> body);
    BlockOfFibers(const BlockOfFibers&) = delete;
    BlockOfFibers& operator=(const BlockOfFibers&) = delete;

    /// Until all threads have ended; `enter` is told whose turn it is.
    void run(const std::function<void(unsigned thread)>& enter);

    /// The one whose thread this is.
    static BlockOfFibers& current();
    void wait_for_block() { wait(State::at_block); }
    /// What the thread in `lane` of this warp passes to its call.
    template <class Value>
    Value exchange(Value value, unsigned lane)
    {
        static_assert(sizeof(Value) <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<Value>);
        const unsigned thread = running_;
        // Two sets in turn: who is late still reads one while the others write the next.
        std::vector<std::uint64_t>& slots = slots_[fibers_[thread].exchanges++ % 2];
        std::memcpy(&slots[thread], &value, sizeof(value));
        wait(State::at_warp);
        std::memcpy(&value, &slots[thread / 32 * 32 + lane], sizeof(value));
        return value;
    }

private:
    enum class State { ready, at_block, at_warp, ended };
    struct Fiber {
        ucontext_t context{};
        State state = State::ready;
        unsigned exchanges = 0;
    };

    void prepare(ucontext_t& context, std::byte* stack);
    static void enter_body();
    void wait(State until);
    void run_warp(std::size_t begin, const std::function<void(unsigned thread)>& enter);
    void set_ready(std::size_t begin, std::size_t end);
    bool all_are(State state, std::size_t begin, std::size_t end) const;

    std::function<void()> body_;
    std::vector<Fiber> fibers_;
    std::array<std::vector<std::uint64_t>, 2> slots_;
    ucontext_t scheduler_{};
    unsigned running_ = 0;
};

} // namespace sdfleet::gpu_test
