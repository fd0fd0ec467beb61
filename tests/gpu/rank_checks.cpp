// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/rank_checks.hpp"

#include "collective/nccl_collectives.hpp"
#include "tests/gpu/device_memory.hpp"
#include "tests/gpu/pattern.hpp"
#include "tests/gpu/rank_report.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace sdfleet::gpu_test {

namespace {

using namespace std::chrono_literals;
using collective::ElementType;
using collective::NcclCollectives;
using collective::ReduceOp;
using collective::Result;
using json = nlohmann::json;

constexpr auto patience = 60s; // two processes that share a GPU take turns

/// The other rank, over the control socket.
class Peer {
public:
    explicit Peer(int fd) : fd_(fd)
    {
        const timeval limit{60, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    void tell(std::span<const std::byte> bytes) const
    {
        if (fd_ >= 0 && ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
            throw std::runtime_error("the other rank cannot be told");
        }
    }

    std::vector<std::byte> hear() const
    {
        std::vector<std::byte> bytes(4096);
        const auto length = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (length <= 0) {
            throw std::runtime_error("the other rank is silent");
        }
        bytes.resize(static_cast<std::size_t>(length));
        return bytes;
    }

private:
    int fd_;
};

class RankRun : RankReport {
public:
    explicit RankRun(const RankPlan& plan) : plan_(plan), peer_(plan.control_fd) {}

    void run()
    {
        try {
            play();
        } catch (const std::exception& error) {
            report_["why"] = error.what();
        }
        std::cout << report_ << std::endl;
    }

private:
    void play()
    {
        auto plugin = collective::NcclPlugin::load(plan_.plugin);
        if (!plugin) {
            report_["why"] = plugin.error().message;
            return;
        }
        const auto began = Clock::now();
        auto group = form(*plugin, 1);
        if (!group) {
            report_["why"] = group.error().message;
            return;
        }
        figure("formed_ms", milliseconds_since(began));
        report_["formed"] = true;
        report_["facts"] = to_json(group->facts());
        require(cudaSetDevice(plan_.device), "cudaSetDevice");
        check_barrier(*group);
        check_reductions(*group);
        check_broadcast(*group);
        check_gather(*group);
        check_all_gather_and_scatter(*group);
        if (plan_.world_size > 1) {
            check_messages(*group);
        }
        end_the_epoch(*group);
        auto next = form(*plugin, 2);
        check("next epoch", next && next->barrier(patience), next ? "" : next.error().message);
        if (next && plan_.world_size > 1) {
            lose_a_rank(*next);
        }
    }

    Result<NcclCollectives> form(const collective::NcclPlugin& plugin, std::uint64_t epoch) const
    {
        const auto exchange = [this](std::vector<std::byte>& bytes, std::chrono::milliseconds) -> Result<void> {
            if (plan_.rank == 0) {
                peer_.tell(bytes);
            } else {
                bytes = peer_.hear();
            }
            return {};
        };
        return NcclCollectives::create(plugin, {"gpu-check", collective::Epoch{epoch}, plan_.rank, plan_.world_size},
                                       nccl_options(plan_), {exchange, {}}, patience);
    }

    void check_barrier(NcclCollectives& group)
    {
        std::string why;
        const bool ok = time(
            "barrier_p50_ms", 20, [&] { return group.barrier(patience); }, why);
        check("barrier", ok, why);
    }

    void check_reductions(NcclCollectives& group)
    {
        const auto own = static_cast<float>(plan_.rank + 1);
        const auto ranks = static_cast<float>(plan_.world_size);
        DeviceMemory<float> floats(std::vector<float>(1'000, own));
        const auto sum = group.all_reduce(floats.buffer(), ElementType::float32, ReduceOp::sum, patience);
        check("all_reduce sum of float32", sum && floats.read() == std::vector<float>(1'000, ranks * (ranks + 1) / 2),
              words(sum));

        DeviceMemory<std::int32_t> integers(std::vector<std::int32_t>(7, static_cast<std::int32_t>(plan_.rank)));
        const auto max = group.all_reduce(integers.buffer(), ElementType::int32, ReduceOp::max, patience);
        check("all_reduce max of int32",
              max && integers.read() == std::vector<std::int32_t>(7, static_cast<std::int32_t>(plan_.world_size - 1)),
              words(max));

        DeviceMemory<double> doubles(std::vector<double>(3, own));
        const auto avg = group.all_reduce(doubles.buffer(), ElementType::float64, ReduceOp::avg, patience);
        check("all_reduce avg of float64", avg && doubles.read() == std::vector<double>(3, (ranks + 1) / 2),
              words(avg));
    }

    void check_broadcast(NcclCollectives& group)
    {
        const auto root = plan_.world_size - 1;
        const Pixels word = pattern(root, image_bytes);
        DeviceMemory<std::uint8_t> buffer(plan_.rank == root ? word : Pixels(image_bytes));
        const auto done = group.broadcast(buffer.buffer(), root, patience);
        check("broadcast of 3 MiB", done && buffer.read() == word, words(done));
    }

    void check_gather(NcclCollectives& group)
    {
        DeviceMemory<std::uint8_t> image(pattern(plan_.rank, image_bytes));
        DeviceMemory<std::uint8_t> images(plan_.rank == 0 ? image_bytes * plan_.world_size : 1);
        std::string why = "wrong values";
        const bool done = time(
            "gather_3mib_p50_ms", 10, [&] { return group.gather(image.buffer(), images.buffer(), 0, patience); }, why);
        const bool right = plan_.rank != 0 || images.read() == all_patterns(plan_.world_size, image_bytes);
        check("gather of uint8 images of 3 MiB", done && right, why);

        image.fill_later(static_cast<int>(plan_.rank + 7));
        const auto after = group.gather(image.buffer(), images.buffer(), 0, patience);
        Pixels expected;
        for (std::uint32_t rank = 0; rank < plan_.world_size; ++rank) {
            expected.insert(expected.end(), image_bytes, static_cast<std::uint8_t>(rank + 7));
        }
        check("gather waits for the default stream", after && (plan_.rank != 0 || images.read() == expected),
              words(after));
    }

    void check_all_gather_and_scatter(NcclCollectives& group)
    {
        constexpr std::size_t size = 65'537; // no multiple of anything
        const Pixels everything = all_patterns(plan_.world_size, size);
        DeviceMemory<std::uint8_t> part(pattern(plan_.rank, size));
        DeviceMemory<std::uint8_t> all(size * plan_.world_size);
        const auto gathered = group.all_gather(part.buffer(), all.buffer(), patience);
        check("all_gather", gathered && all.read() == everything, words(gathered));

        DeviceMemory<std::uint8_t> parts(plan_.rank == 0 ? everything : Pixels(1));
        DeviceMemory<std::uint8_t> own(size);
        const auto scattered = group.scatter(parts.buffer(), own.buffer(), 0, patience);
        check("scatter", scattered && own.read() == pattern(plan_.rank, size), words(scattered));
    }

    void check_messages(NcclCollectives& group)
    {
        DeviceMemory<std::uint8_t> buffer(plan_.rank == 0 ? pattern(9, 1 << 20) : Pixels(1 << 20));
        if (plan_.rank > 1) {
            return;
        }
        const auto done =
            plan_.rank == 0 ? group.send(buffer.buffer(), 1, patience) : group.recv(buffer.buffer(), 0, patience);
        check("send and recv", done && buffer.read() == pattern(9, 1 << 20), words(done));
    }

    /// Rank 1 stays away from a barrier until rank 0 has had its timeout; alone there is only the abort to time.
    void end_the_epoch(NcclCollectives& group)
    {
        constexpr auto timeout = 500ms;
        if (plan_.world_size > 1 && plan_.rank == 0) {
            const auto began = Clock::now();
            const auto late = group.barrier(timeout);
            const double took_ms = milliseconds_since(began);
            figure("deadline_overrun_ms", took_ms - static_cast<double>(timeout.count()));
            check("a barrier without the others is a timeout",
                  !late && std::holds_alternative<collective::TimedOut>(late.error().cause), words(late));
            check("it ends within a second of its deadline", took_ms < static_cast<double>(timeout.count()) + 1'000,
                  "it took " + std::to_string(took_ms) + " ms");
            peer_.tell(std::vector<std::byte>(1));
            return;
        }
        if (plan_.world_size > 1) {
            peer_.hear();
        }
        const auto began = Clock::now();
        group.abort();
        figure("abort_ms", milliseconds_since(began));
        const auto refused = group.barrier(patience);
        check("an aborted group refuses",
              !refused && std::holds_alternative<collective::Aborted>(refused.error().cause), words(refused));
    }

    /// Rank 1 dies, rank 0 waits for it: an error, by NCCL's word or at the deadline.
    void lose_a_rank(NcclCollectives& group)
    {
        if (plan_.rank == 1) {
            std::cout << report_ << std::endl;
            ::kill(::getpid(), SIGKILL);
        }
        constexpr auto timeout = 5'000ms;
        const auto began = Clock::now();
        const auto lost = group.barrier(timeout);
        const double took_ms = milliseconds_since(began);
        figure("killed_rank_error_after_ms", took_ms);
        report_["killed_rank_error"] = words(lost);
        check("a killed rank is an error", !lost, words(lost));
        check("it comes within a second of the deadline", took_ms < static_cast<double>(timeout.count()) + 1'000,
              "it took " + std::to_string(took_ms) + " ms");
    }

    const RankPlan& plan_;
    Peer peer_;
};

} // namespace

nlohmann::json to_json(const sdfleet_nccl_facts& facts)
{
    return {{"nccl_version", facts.nccl_version},
            {"nccl_path", facts.nccl_path},
            {"driver_version", facts.driver_version},
            {"runtime_version", facts.runtime_version},
            {"device_count", facts.device_count},
            {"device_name", facts.device_name},
            {"device_memory_bytes", facts.device_memory_bytes},
            {"compute_capability", facts.compute_capability}};
}

collective::NcclOptions nccl_options(const RankPlan& plan)
{
    collective::NcclOptions options;
    options.library = plan.plugin;
    options.device = plan.device;
    options.network = "Socket";
    options.interface = "lo"; // NCCL avoids it unless it is named
    options.buffer_bytes = 1 << 20;
    options.max_ctas = 2; // two ranks on one GPU must both find room
    return options;
}

void run_rank(const RankPlan& plan)
{
    RankRun(plan).run();
}

} // namespace sdfleet::gpu_test
