// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of this process, each with a process group of its own.
#include "collective/tensor_group.hpp"

#include "base/unique_fd.hpp"
#include "collective/device_collectives.hpp"
#include "collective/process_group_impl.hpp"
#include "tests/catch.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <ATen/ATen.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace sdfleet;
using namespace sdfleet::collective;

namespace {

std::uint16_t free_port()
{
    const base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

/// Tells what it was asked to do with device memory.
class RecordingDevice : public DeviceCollectives {
public:
    explicit RecordingDevice(std::vector<std::string>& calls, std::string device = "meta")
        : calls_(calls), device_(std::move(device))
    {
    }

    const std::string& device() const override { return device_; }
    Result<void> barrier(DeviceStream, Timeout) override { return record("barrier", 0, 0); }
    Result<void> broadcast(void*, std::size_t count, ElementType, std::uint32_t root, DeviceStream, Timeout) override
    {
        return record("broadcast", count, root);
    }
    Result<void> all_reduce(void*, std::size_t count, ElementType, ReduceOp op, DeviceStream, Timeout) override
    {
        return record("all_reduce", count, static_cast<std::uint32_t>(op));
    }
    Result<void> gather(const void*, void*, std::size_t count, ElementType, std::uint32_t root, DeviceStream,
                        Timeout) override
    {
        return record("gather", count, root);
    }
    Result<void> all_gather(const void*, void*, std::size_t count, ElementType, DeviceStream, Timeout) override
    {
        return record("all_gather", count, 0);
    }
    Result<void> scatter(const void*, void*, std::size_t count, ElementType, std::uint32_t root, DeviceStream,
                         Timeout) override
    {
        return record("scatter", count, root);
    }
    Result<void> send(const void*, std::size_t count, ElementType, std::uint32_t to, DeviceStream, Timeout) override
    {
        return record("send", count, to);
    }
    Result<void> recv(void*, std::size_t count, ElementType, std::uint32_t from, DeviceStream, Timeout) override
    {
        return record("recv", count, from);
    }
    void abort(const std::string&) override {}

private:
    Result<void> record(const std::string& operation, std::size_t count, std::uint32_t number)
    {
        calls_.push_back(operation + " " + std::to_string(count) + " " + std::to_string(number));
        return {};
    }

    std::vector<std::string>& calls_;
    std::string device_;
};

/// Each rank's first fault, by rank; "" where all went well.
using Story = std::function<Result<std::string>(ProcessGroup&)>;

std::vector<std::string> play(std::uint32_t world_size, const Story& story)
{
    const ViaMaster meeting{.address = "127.0.0.1", .port = free_port(), .secret = ""};
    std::vector<std::string> outcomes(world_size);
    const auto be_rank = [&](std::uint32_t rank) {
        InitOptions options;
        options.timeout = std::chrono::minutes(1);
        auto group = init_process_group(Backend::zmq, rank, world_size, meeting, options);
        const auto outcome = group ? story(*group) : Result<std::string>(tl::unexpected(group.error()));
        outcomes[rank] = outcome ? *outcome : outcome.error().message;
    };
    std::vector<std::thread> ranks;
    for (std::uint32_t rank = 1; rank < world_size; ++rank) {
        ranks.emplace_back(be_rank, rank);
    }
    be_rank(0); // by this thread, so that a story of one rank may assert
    for (auto& rank : ranks) {
        rank.join();
    }
    return outcomes;
}

/// A tensor that no other rank has.
at::Tensor of_rank(std::uint32_t rank, at::ScalarType type = at::kFloat)
{
    return (at::arange(6) + 10 * static_cast<std::int64_t>(rank)).reshape({2, 3}).to(type);
}

bool are_of_all_ranks(const std::vector<at::Tensor>& tensors, std::uint32_t world_size, at::ScalarType type)
{
    for (std::uint32_t rank = 0; rank < tensors.size(); ++rank) {
        if (!tensors[rank].equal(of_rank(rank, type))) {
            return false;
        }
    }
    return tensors.size() == world_size;
}

const std::vector<std::string> all_well{"", "", ""};

} // namespace

TEST_CASE("all_reduce leaves the sum, the least, the greatest on every rank")
{
    const auto outcomes = play(3, [](ProcessGroup& group) -> Result<std::string> {
        auto sum = of_rank(group.rank());
        auto least = of_rank(group.rank(), at::kLong);
        auto mean = of_rank(group.rank(), at::kHalf);
        return all_reduce(group, sum)
            .and_then([&] { return all_reduce(group, least, ReduceOp::min); })
            .and_then([&] { return all_reduce(group, mean, ReduceOp::avg); })
            .map([&] {
                const bool is_right = sum.equal(of_rank(0) + of_rank(1) + of_rank(2)) &&
                                      least.equal(of_rank(0, at::kLong)) && mean.equal(of_rank(1, at::kHalf));
                return std::string(is_right ? "" : "wrong");
            });
    });
    REQUIRE(outcomes == all_well);
}

TEST_CASE("every type that can be sent is gathered, at one rank or at all")
{
    for (const auto type :
         {at::kByte, at::kChar, at::kInt, at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble}) {
        const auto outcomes = play(3, [type](ProcessGroup& group) -> Result<std::string> {
            const auto mine = of_rank(group.rank(), type);
            const auto at_2 = gather(group, mine, 2);
            if (!at_2) {
                return tl::unexpected(at_2.error());
            }
            return all_gather(group, mine).map([&](const std::vector<at::Tensor>& everywhere) {
                const bool is_right = (group.rank() == 2 ? are_of_all_ranks(*at_2, 3, type) : at_2->empty()) &&
                                      are_of_all_ranks(everywhere, 3, type);
                return std::string(is_right ? "" : "wrong");
            });
        });
        INFO(c10::toString(type));
        REQUIRE(outcomes == all_well);
    }
}

TEST_CASE("broadcast and scatter fill the tensors of the others")
{
    const auto outcomes = play(3, [](ProcessGroup& group) -> Result<std::string> {
        auto of_one = of_rank(group.rank());
        auto mine = at::zeros({2, 3});
        std::vector<at::Tensor> parts;
        if (group.rank() == 1) {
            parts = {of_rank(5), of_rank(6), of_rank(7)};
        }
        return broadcast(group, of_one, 1).and_then([&] { return scatter(group, mine, parts, 1); }).map([&] {
            const bool is_right = of_one.equal(of_rank(1)) && mine.equal(of_rank(5 + group.rank()));
            return std::string(is_right ? "" : "wrong");
        });
    });
    REQUIRE(outcomes == all_well);
}

TEST_CASE("a tensor is sent round the ranks, tag by tag")
{
    const auto outcomes = play(3, [](ProcessGroup& group) -> Result<std::string> {
        const std::uint32_t next = (group.rank() + 1) % 3;
        const std::uint32_t previous = (group.rank() + 2) % 3;
        auto received = at::zeros({2, 3});
        return send(group, of_rank(group.rank()), next, 7)
            .and_then([&] { return recv(group, received, previous, 7); })
            .map([&] { return std::string(received.equal(of_rank(previous)) ? "" : "wrong"); });
    });
    REQUIRE(outcomes == all_well);
}

TEST_CASE("tensors that cannot be sent are refused with the way out, and the group goes on")
{
    const auto outcomes = play(2, [](ProcessGroup& group) -> Result<std::string> {
        std::string text;
        const auto refused = [&](at::Tensor tensor) {
            const auto result = all_reduce(group, tensor);
            const bool is_kind = !result && std::holds_alternative<InvalidArgument>(result.error().cause);
            text += is_kind ? result.error().message + '\n' : "not refused\n";
        };
        refused(at::ones({2, 3}).t());
        refused(at::ones({2}, at::kBool));
        refused(at::Tensor());
        auto fine = at::ones({2});
        return all_reduce(group, fine).map([&] { return fine.equal(at::full({2}, 2.0)) ? text : "wrong"; });
    });
    for (const auto& outcome : outcomes) {
        REQUIRE_THAT(outcome, ContainsSubstring(
                                  "all_reduce: the tensor, Float [3, 2], is not contiguous; pass tensor.contiguous()"));
        REQUIRE_THAT(outcome, ContainsSubstring("all_reduce: tensors of type Bool cannot be sent"));
        REQUIRE_THAT(outcome, ContainsSubstring("all_reduce: the tensor is undefined"));
    }
}

TEST_CASE("a tensor on another device is not read from the CPU")
{
    const auto outcomes = play(1, [](ProcessGroup& group) -> Result<std::string> {
        auto elsewhere = at::empty({2}, at::TensorOptions().device(at::kMeta));
        const auto result = all_reduce(group, elsewhere);
        const bool is_kind = !result && std::holds_alternative<BackendUnavailable>(result.error().cause);
        return is_kind ? result.error().message : "not refused";
    });
    REQUIRE_THAT(outcomes[0], ContainsSubstring("all_reduce: the tensor is on meta"));
}

TEST_CASE("tensors on a device go over the group's backend for it, element for element")
{
    std::vector<std::string> calls;
    std::string refusal;
    play(1, [&](ProcessGroup& group) -> Result<std::string> {
        group.impl().device = std::make_unique<RecordingDevice>(calls);
        auto there = at::empty({2, 3}, at::TensorOptions().device(at::kMeta).dtype(at::kHalf));
        REQUIRE(all_reduce(group, there, ReduceOp::max));
        REQUIRE(broadcast(group, there, 4));
        REQUIRE(gather(group, there, 0)->size() == 1);
        REQUIRE(all_gather(group, there)->size() == 1);
        REQUIRE(scatter(group, there, {there}));
        REQUIRE(send(group, there, 5));
        REQUIRE(recv(group, there, 6));
        refusal = send(group, there, 5, 7).error().message;
        auto here = at::ones({2});
        REQUIRE(all_reduce(group, here));
        group.impl().device.reset();
        return "";
    });
    REQUIRE(calls == std::vector<std::string>{"all_reduce 6 3", "broadcast 6 4", "gather 6 0", "all_gather 6 0",
                                              "scatter 6 0", "send 6 5", "recv 6 6"});
    REQUIRE(refusal == "send: tag 7; tensors on a device are sent without tags");
}

TEST_CASE("a tensor on another device than the rank's is refused, and the backend not called")
{
    std::vector<std::string> calls;
    const auto outcomes = play(1, [&](ProcessGroup& group) -> Result<std::string> {
        group.impl().device = std::make_unique<RecordingDevice>(calls, "cuda:1");
        auto elsewhere = at::empty({2}, at::TensorOptions().device(at::kMeta));
        const auto result = all_reduce(group, elsewhere);
        group.impl().device.reset();
        const bool is_kind = !result && std::holds_alternative<InvalidArgument>(result.error().cause);
        return is_kind ? result.error().message : "not refused";
    });
    REQUIRE(outcomes[0] == "all_reduce: the tensor is on meta, and this rank's device is cuda:1");
    REQUIRE(calls.empty());
}

TEST_CASE("scatter wants one tensor for each rank, like the one that it fills")
{
    const auto outcomes = play(1, [](ProcessGroup& group) -> Result<std::string> {
        auto mine = at::zeros({2, 3});
        std::string text;
        for (const std::vector<at::Tensor>& parts : {std::vector<at::Tensor>{},
                                                     {of_rank(0), of_rank(1)},
                                                     {at::zeros({3, 3})},
                                                     {at::zeros({2, 3}, at::kInt)}}) {
            const auto result = scatter(group, mine, parts);
            text += result ? "not refused\n" : result.error().message + '\n';
        }
        return text;
    });
    REQUIRE(outcomes[0] == "scatter: 0 tensors for 1 ranks\n"
                           "scatter: 2 tensors for 1 ranks\n"
                           "scatter: the tensors must be like the one to fill, Float [2, 3]; one is Float [3, 3]\n"
                           "scatter: the tensors must be like the one to fill, Float [2, 3]; one is Int [2, 3]\n");
}
