// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/object_codec.hpp"
#include "collective/process_group.hpp"
#include "collective/split_between_processes.hpp"

#include <cstdint>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sdfleet::collective {

/// What a process knows about itself and the others, as accelerate.PartialState has it and under the same names: which
/// device and which share of the work is its own. Reads what `sdctl launch`, spawn() or torchrun put into the environment;
/// a program that was started by itself is the only process. The processes connect when an operation first needs it, so
/// that a program which only splits its prompts never waits for anybody. Copies share one process group; the last one
/// leaves it. Not thread-safe.
class PartialState {
public:
    /// InvalidArgument when the environment contradicts itself. `options` are for the process group.
    static Result<PartialState> from_environment(const InitOptions& options = {});

    const std::string& device() const { return device_; } ///< "cpu" or "cuda:N"
    std::uint32_t process_index() const { return environment_.rank; }
    std::uint32_t local_process_index() const { return environment_.local_rank; } ///< on this machine
    std::uint32_t num_processes() const { return environment_.world_size; }
    bool use_distributed() const { return num_processes() > 1; }
    bool is_main_process() const { return process_index() == 0; }
    bool is_local_main_process() const { return local_process_index() == 0; }
    bool is_last_process() const { return process_index() + 1 == num_processes(); }

    /// Returns once every process has come here.
    Result<void> wait_for_everyone(Timeout timeout = {});

    /// This process's share: of a vector a vector; of a map of vectors a Result with a map of vectors; with
    /// tensor_split.hpp, of a tensor a tensor. `padding` may be apply_padding. Talks to nobody.
    template <class Items>
    auto split_between_processes(const Items& items, Padding padding = Padding::none) const
    {
        return take(items, num_processes(), process_index(), padding);
    }

    /// A function that calls `function` on that process and does nothing on the others. What it returns is in an optional,
    /// empty on the others. A process that is alone is every process.
    template <class Function>
    [[nodiscard]] auto on_process(Function function, std::uint32_t index) const
    {
        return only_if(process_index() == index || !use_distributed(), std::move(function));
    }
    template <class Function>
    [[nodiscard]] auto on_main_process(Function function) const
    {
        return only_if(is_main_process(), std::move(function));
    }
    template <class Function>
    [[nodiscard]] auto on_local_main_process(Function function) const
    {
        return only_if(is_local_main_process(), std::move(function));
    }
    template <class Function>
    [[nodiscard]] auto on_last_process(Function function) const
    {
        return only_if(is_last_process(), std::move(function));
    }

    /// One line on stdout, the words with blanks between; on the main process of each machine alone, as accelerate does.
    template <class... Words>
    void print(const Words&... words) const
    {
        if (is_local_main_process()) {
            const char* blank = "";
            ((std::cout << std::exchange(blank, " ") << words), ...);
            std::cout << std::endl;
        }
    }

    /// The objects of all processes in the processes' order, on all of them. T: numbers, strings, vectors of these, or
    /// whatever has an ObjectCodec. OperationMismatch when a process gathers objects of another type.
    template <class T>
    Result<std::vector<T>> gather_object(const std::vector<T>& objects, Timeout timeout = {});

    /// Null when this is the only process; connects the processes otherwise.
    Result<ProcessGroup*> process_group();

    /// Leaves the process group, on all copies.
    void destroy_process_group();

private:
    struct Connection;
    PartialState(const RankEnvironment& environment, const InitOptions& options);

    template <class Function>
    static auto only_if(bool is_chosen, Function function)
    {
        return [is_chosen, function = std::move(function)](auto&&... arguments) mutable {
            using Returned = decltype(function(std::forward<decltype(arguments)>(arguments)...));
            if constexpr (std::is_void_v<Returned>) {
                if (is_chosen) {
                    function(std::forward<decltype(arguments)>(arguments)...);
                }
            } else {
                return is_chosen ? std::optional<Returned>(function(std::forward<decltype(arguments)>(arguments)...))
                                 : std::optional<Returned>();
            }
        };
    }

    /// What every process encoded, by rank.
    Result<std::vector<Bytes>> all_gather(const Bytes& mine, Timeout timeout);
    static Error other_type(std::size_t rank, const std::string& expected);

    RankEnvironment environment_;
    std::string device_;
    std::shared_ptr<Connection> connection_;
};

template <class T>
Result<std::vector<T>> PartialState::gather_object(const std::vector<T>& objects, Timeout timeout)
{
    if (!use_distributed()) {
        return objects;
    }
    const auto encoded = all_gather(encode_object(objects), timeout);
    if (!encoded) {
        return tl::unexpected(encoded.error());
    }
    std::vector<T> all;
    for (std::size_t rank = 0; rank < encoded->size(); ++rank) {
        auto theirs = decode_object<std::vector<T>>((*encoded)[rank]);
        if (!theirs) {
            return tl::unexpected(other_type(rank, ObjectCodec<T>::name()));
        }
        all.insert(all.end(), std::make_move_iterator(theirs->begin()), std::make_move_iterator(theirs->end()));
    }
    return all;
}

} // namespace sdfleet::collective
