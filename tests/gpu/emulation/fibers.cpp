// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/emulation/fibers.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

namespace sdfleet::gpu_test {

namespace {

constexpr std::size_t stack_bytes = 64 * 1'024; // AddressSanitizer clears its notes about all of it at each change
constexpr std::size_t max_threads = 1'024;
constexpr std::size_t warp_size = 32;

BlockOfFibers* current_block = nullptr;
FiberOrder fiber_order = FiberOrder::forwards;

/// Kept from block to block; only the pages that are touched take memory.
std::byte* stack_of(std::size_t thread)
{
    static const auto stacks = std::make_unique_for_overwrite<std::byte[]>(max_threads * stack_bytes);
    return stacks.get() + thread * stack_bytes;
}

std::vector<unsigned> turns(std::size_t count)
{
    static std::mt19937 random(20'240'229);
    std::vector<unsigned> order(count);
    std::iota(order.begin(), order.end(), 0u);
    if (fiber_order == FiberOrder::backwards) {
        std::reverse(order.begin(), order.end());
    } else if (fiber_order == FiberOrder::shuffled) {
        std::shuffle(order.begin(), order.end(), random);
    }
    return order;
}

} // namespace

void set_fiber_order(FiberOrder order)
{
    fiber_order = order;
}

void for_each_block(dim3 grid, const std::function<void(dim3)>& run)
{
    if (grid.x < 1 || grid.x > 0x7fff'ffffu || grid.y < 1 || grid.y > 65'535 || grid.z < 1 || grid.z > 65'535) {
        throw std::invalid_argument("no GPU takes a grid of " + std::to_string(grid.x) + " x " +
                                    std::to_string(grid.y) + " x " + std::to_string(grid.z));
    }
    for (unsigned z = 0; z < grid.z; ++z) {
        for (unsigned y = 0; y < grid.y; ++y) {
            for (unsigned x = 0; x < grid.x; ++x) {
                run({x, y, z});
            }
        }
    }
}

BlockOfFibers& BlockOfFibers::current()
{
    return *current_block;
}

BlockOfFibers::BlockOfFibers(unsigned threads, std::function<void()> body)
    : body_(std::move(body)),
      fibers_(threads), slots_{std::vector<std::uint64_t>(threads), std::vector<std::uint64_t>(threads)}
{
    if (threads < warp_size || threads > max_threads || threads % warp_size != 0) {
        throw std::invalid_argument("a block of " + std::to_string(threads) + " threads");
    }
    for (std::size_t thread = 0; thread < threads; ++thread) {
        prepare(fibers_[thread].context, stack_of(thread));
    }
}

/// By itself, as getcontext may return twice for all that the compiler knows.
void BlockOfFibers::prepare(ucontext_t& context, std::byte* stack)
{
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = stack_bytes;
    context.uc_link = &scheduler_;
    makecontext(&context, &BlockOfFibers::enter_body, 0);
}

void BlockOfFibers::enter_body()
{
    BlockOfFibers& block = current();
    block.body_();
    block.fibers_[block.running_].state = State::ended;
}

void BlockOfFibers::wait(State until)
{
    Fiber& self = fibers_[running_];
    self.state = until;
    swapcontext(&self.context, &scheduler_);
}

void BlockOfFibers::run(const std::function<void(unsigned thread)>& enter)
{
    current_block = this;
    do {
        for (const unsigned warp : turns(fibers_.size() / warp_size)) {
            run_warp(warp * warp_size, enter);
        }
        if (all_are(State::at_block, 0, fibers_.size())) {
            set_ready(0, fibers_.size());
        } else if (!all_are(State::ended, 0, fibers_.size())) {
            throw std::logic_error("threads of a block wait for others that have ended or wait elsewhere");
        }
    } while (!all_are(State::ended, 0, fibers_.size()));
    current_block = nullptr;
}

/// As far as this warp gets without the others: one runs ahead while another has not yet read what both share.
void BlockOfFibers::run_warp(std::size_t begin, const std::function<void(unsigned thread)>& enter)
{
    for (;;) {
        for (const unsigned lane : turns(warp_size)) {
            running_ = static_cast<unsigned>(begin) + lane;
            if (fibers_[running_].state == State::ready) {
                enter(running_);
                swapcontext(&scheduler_, &fibers_[running_].context);
            }
        }
        if (!all_are(State::at_warp, begin, begin + warp_size)) {
            return;
        }
        set_ready(begin, begin + warp_size);
    }
}

bool BlockOfFibers::all_are(State state, std::size_t begin, std::size_t end) const
{
    return std::all_of(fibers_.begin() + static_cast<std::ptrdiff_t>(begin),
                       fibers_.begin() + static_cast<std::ptrdiff_t>(end),
                       [state](const Fiber& fiber) { return fiber.state == state; });
}

void BlockOfFibers::set_ready(std::size_t begin, std::size_t end)
{
    for (std::size_t thread = begin; thread < end; ++thread) {
        fibers_[thread].state = State::ready;
    }
}

} // namespace sdfleet::gpu_test
