// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/group_checks.hpp"

#include "collective/process_group_impl.hpp"
#include "tests/gpu/device_memory.hpp"
#include "tests/gpu/pattern.hpp"
#include "tests/gpu/rank_report.hpp"

#include <csignal>
#include <exception>
#include <future>
#include <iostream>

#include <unistd.h>

namespace sdfleet::gpu_test {

namespace {

using namespace std::chrono_literals;
using collective::Backend;
using collective::DeviceCollectives;
using collective::ElementType;
using collective::ProcessGroup;
using collective::ReduceOp;
using collective::Result;

constexpr auto patience = 60s; // two processes that share a GPU take turns

template <class CauseType>
bool is(const Result<void>& result)
{
    return !result && std::holds_alternative<CauseType>(result.error().cause);
}

class GroupRun : RankReport {
public:
    explicit GroupRun(const RankPlan& plan) : plan_(plan) {}

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
        {
            const auto began = Clock::now();
            auto group = form(1, nccl_options(plan_));
            if (!group) {
                report_["why"] = group.error().message;
                return;
            }
            figure("group_formed_ms", milliseconds_since(began));
            report_["formed"] = true;
            require(cudaSetDevice(plan_.device), "cudaSetDevice");
            check_operations(*group);
            if (plan_.world_size > 1) {
                check_messages(*group);
                check_sizes(*group);
            }
        }
        check_abort();
        check_missing_device();
        if (plan_.world_size > 1) {
            lose_a_rank();
        }
    }

    Result<ProcessGroup> form(std::uint64_t epoch, const collective::NcclOptions& options) const
    {
        collective::InitOptions init;
        init.timeout = patience;
        init.epoch.value = epoch;
        init.group_name = "gpu-check";
        init.nccl = options;
        return collective::init_process_group(Backend::nccl, plan_.rank, plan_.world_size,
                                              collective::ViaMaster{"127.0.0.1", plan_.port, ""}, init);
    }

    /// The group of an epoch that must come about, for what is to be checked in it.
    ProcessGroup formed(std::uint64_t epoch) const
    {
        auto group = form(epoch, nccl_options(plan_));
        if (!group) {
            throw std::runtime_error(group.error().message);
        }
        return std::move(*group);
    }

    static DeviceCollectives& device_of(ProcessGroup& group) { return *group.impl().device; }

    void check_operations(ProcessGroup& group)
    {
        auto& device = device_of(group);
        std::string why;
        const bool met = time(
            "group_barrier_p50_ms", 20, [&] { return device.barrier({}, {}); }, why);
        check("group: barrier on the device", met, why);
        const auto bytes = group.barrier();
        check("group: barrier", bytes.has_value(), words(bytes));

        const auto ranks = static_cast<float>(plan_.world_size);
        DeviceMemory<float> floats(std::vector<float>(1'000, static_cast<float>(plan_.rank + 1)));
        const auto sum =
            device.all_reduce(floats.buffer().data, 1'000, ElementType::float32, ReduceOp::sum, {}, patience);
        check("group: all_reduce", sum && floats.read() == std::vector<float>(1'000, ranks * (ranks + 1) / 2),
              words(sum));

        const auto root = plan_.world_size - 1;
        DeviceMemory<std::uint8_t> word(plan_.rank == root ? pattern(root, image_bytes) : Pixels(image_bytes));
        const auto spread = device.broadcast(word.buffer().data, image_bytes, ElementType::uint8, root, {}, patience);
        check("group: broadcast of 3 MiB", spread && word.read() == pattern(root, image_bytes), words(spread));
        check_gathers(device);
    }

    void check_gathers(DeviceCollectives& device)
    {
        const bool is_root = plan_.rank == 0;
        DeviceMemory<std::uint8_t> image(pattern(plan_.rank, image_bytes));
        DeviceMemory<std::uint8_t> images(is_root ? image_bytes * plan_.world_size : 1);
        std::string why = "wrong values";
        const bool done = time(
            "group_gather_3mib_p50_ms", 10,
            [&] {
                return device.gather(image.buffer().data, images.buffer().data, image_bytes, ElementType::uint8, 0, {},
                                     patience);
            },
            why);
        check("group: gather of uint8 images of 3 MiB",
              done && (!is_root || images.read() == all_patterns(plan_.world_size, image_bytes)), why);

        image.fill_later(static_cast<int>(plan_.rank + 7));
        const auto after =
            device.gather(image.buffer().data, images.buffer().data, image_bytes, ElementType::uint8, 0, {}, patience);
        Pixels filled;
        for (std::uint32_t rank = 0; rank < plan_.world_size; ++rank) {
            filled.insert(filled.end(), image_bytes, static_cast<std::uint8_t>(rank + 7));
        }
        check("group: gather waits for the stream", after && (!is_root || images.read() == filled), words(after));

        constexpr std::size_t size = 65'537; // no multiple of anything
        const auto everything = all_patterns(plan_.world_size, size);
        DeviceMemory<std::uint8_t> part(pattern(plan_.rank, size));
        DeviceMemory<std::uint8_t> all(size * plan_.world_size);
        const auto gathered =
            device.all_gather(part.buffer().data, all.buffer().data, size, ElementType::uint8, {}, patience);
        check("group: all_gather", gathered && all.read() == everything, words(gathered));

        DeviceMemory<std::uint8_t> own(size);
        const auto scattered =
            device.scatter(all.buffer().data, own.buffer().data, size, ElementType::uint8, 0, {}, patience);
        check("group: scatter", scattered && own.read() == pattern(plan_.rank, size), words(scattered));
    }

    void check_messages(ProcessGroup& group)
    {
        if (plan_.rank > 1) {
            return;
        }
        constexpr std::size_t size = 1 << 20;
        DeviceMemory<std::uint8_t> buffer(plan_.rank == 0 ? pattern(9, size) : Pixels(size));
        auto& device = device_of(group);
        const auto done = plan_.rank == 0
                              ? device.send(buffer.buffer().data, size, ElementType::uint8, 1, {}, patience)
                              : device.recv(buffer.buffer().data, size, ElementType::uint8, 0, {}, patience);
        check("group: send and recv", done && buffer.read() == pattern(9, size), words(done));
    }

    /// NCCL would hang, or write beyond a buffer.
    void check_sizes(ProcessGroup& group)
    {
        DeviceMemory<float> floats(std::vector<float>(2'000, 1));
        const auto result = device_of(group).all_reduce(floats.buffer().data, plan_.rank == 1 ? 2'000 : 1'000,
                                                        ElementType::float32, ReduceOp::sum, {}, patience);
        check("group: sizes that differ are a mismatch", is<collective::SizeMismatch>(result), words(result));
        const auto after = device_of(group).barrier({}, patience);
        check("group: the epoch is over then", is<collective::Aborted>(after), words(after));
    }

    /// Of the next epoch; ranks that wait inside NCCL for one that does not come to it.
    void check_abort()
    {
        auto group = formed(2);
        if (plan_.rank == 0 && plan_.world_size > 1) {
            agree_without_moving(group);
            group.abort("checked");
        } else if (plan_.rank == 0) {
            group.abort("checked");
        }
        const auto began = Clock::now();
        const auto result = device_of(group).barrier({}, patience);
        figure("group_abort_ms", milliseconds_since(began));
        check("group: an abort ends what NCCL is at", is<collective::Aborted>(result), words(result));
    }

    /// What a rank does whose GPU does not come to it: the others begin with NCCL, and this one does not.
    static void agree_without_moving(ProcessGroup& group)
    {
        collective::Operation barrier;
        barrier.kind = collective::OperationKind::device_barrier;
        if (const auto agreed = collective::run_agreement(group.impl().begin(barrier, {})); !agreed) {
            throw std::runtime_error(agreed.error().message);
        }
    }

    void check_missing_device()
    {
        const auto without = plan_.world_size - 1;
        auto options = nccl_options(plan_);
        options.device = plan_.rank == without ? 4'096 : plan_.device;
        const auto group = form(3, options);
        const std::string why = group ? "it formed" : group.error().message;
        check("group: a rank without a device is named to all",
              !group && std::holds_alternative<collective::BackendUnavailable>(group.error().cause) &&
                  why.find("rank " + std::to_string(without) + ": NCCL cannot be used here: no CUDA device 4096") !=
                      std::string::npos,
              why);
    }

    /// Rank 1 dies when rank 0 waits for it inside NCCL: the mesh tells rank 0, and says who it is.
    void lose_a_rank()
    {
        auto group = formed(4);
        if (plan_.rank == 1) {
            std::cout << report_ << std::endl;
            agree_without_moving(group);
            ::kill(::getpid(), SIGKILL);
        }
        const auto began = Clock::now();
        const auto lost = device_of(group).barrier({}, patience);
        figure("group_killed_rank_error_after_ms", milliseconds_since(began));
        const auto* cause = lost ? nullptr : std::get_if<collective::PeerLost>(&lost.error().cause);
        check("group: a killed rank is lost, by name",
              cause != nullptr && cause->ranks == std::vector<collective::Rank>{{1}}, words(lost));
    }

    const RankPlan& plan_;
};

} // namespace

void run_group_rank(const RankPlan& plan)
{
    GroupRun(plan).run();
}

} // namespace sdfleet::gpu_test
