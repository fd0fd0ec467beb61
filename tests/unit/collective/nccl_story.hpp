// SPDX-License-Identifier: Apache-2.0
// Threads as ranks over the plug-in's double.
#pragma once

#include "collective/nccl_collectives.hpp"
#include "fake_nccl.h"

#include "tests/catch.hpp"

#include <functional>
#include <future>
#include <string>
#include <vector>

#include <dlfcn.h>

namespace sdfleet::collective {

using namespace std::chrono_literals;

/// The double's controls. A fault holds to the end of the test case, and then nothing may be left open.
class FakeNccl {
public:
    FakeNccl()
        : library_(::dlopen(SDFLEET_FAKE_NCCL, RTLD_NOW | RTLD_LOCAL)), plugin_(NcclPlugin::load(SDFLEET_FAKE_NCCL))
    {
        REQUIRE(library_ != nullptr);
        REQUIRE(plugin_);
    }
    ~FakeNccl()
    {
        set_fault(fake_nccl_works);
        CHECK(call<decltype(fake_nccl_open)>("fake_nccl_open") == 0);
        CHECK(call<decltype(fake_nccl_misuses)>("fake_nccl_misuses") == 0);
    }

    void set_fault(fake_nccl_fault fault)
    {
        reinterpret_cast<decltype(&fake_nccl_set_fault)>(::dlsym(library_, "fake_nccl_set_fault"))(fault);
    }

    int started() const { return call<decltype(fake_nccl_started)>("fake_nccl_started"); }

    const NcclPlugin& plugin() const { return *plugin_; }

private:
    template <class Function>
    int call(const char* name) const
    {
        return reinterpret_cast<Function*>(::dlsym(library_, name))();
    }

    void* library_;
    Result<NcclPlugin> plugin_;
};

/// How the ranks of a test exchange rank 0's bytes.
class Exchange {
public:
    NcclHooks hooks(std::uint32_t rank, StopCheck stop = {})
    {
        return {[this, rank](std::vector<std::byte>& bytes, std::chrono::milliseconds) -> Result<void> {
                    if (rank == 0) {
                        promise_.set_value(bytes);
                    } else {
                        bytes = future_.get();
                    }
                    return {};
                },
                std::move(stop)};
    }

private:
    std::promise<std::vector<std::byte>> promise_;
    std::shared_future<std::vector<std::byte>> future_ = promise_.get_future().share();
};

inline Result<NcclCollectives> join(const FakeNccl& fake, Exchange& exchange, std::uint32_t rank,
                                    std::uint32_t world_size, std::chrono::milliseconds timeout = 60s,
                                    StopCheck stop = {}, NcclOptions options = {})
{
    return NcclCollectives::create(fake.plugin(), {"g", Epoch{7}, rank, world_size}, options,
                                   exchange.hooks(rank, std::move(stop)), timeout);
}

/// Runs `play` as each of `world_size` ranks and returns what each returned. Catch2's assertions belong to the test's thread.
template <class Play>
auto play_ranks(std::uint32_t world_size, const Play& play)
{
    std::vector<std::future<decltype(play(0u))>> ranks;
    for (std::uint32_t rank = 0; rank < world_size; ++rank) {
        ranks.push_back(std::async(std::launch::async, play, rank));
    }
    std::vector<decltype(play(0u))> results;
    for (auto& rank : ranks) {
        results.push_back(rank.get());
    }
    return results;
}

} // namespace sdfleet::collective
