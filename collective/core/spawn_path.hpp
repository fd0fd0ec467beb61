// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::collective {

/// Which call of spawn a process was made for, counted from 1 within the function that calls, and as which rank.
struct SpawnStep {
    std::uint32_t call = 0;
    std::uint32_t rank = 0;

    bool operator==(const SpawnStep&) const = default;
};

/// From the program that a person started (empty) to this process. Written "2:0/1:3": rank 3 of the first call that rank 0
/// of the second call made.
using SpawnPath = std::vector<SpawnStep>;

std::string to_text(const SpawnPath& path);

/// Nothing for a text that to_text does not write.
std::optional<SpawnPath> parse_spawn_path(std::string_view text);

/// What a call of spawn is to do in this process.
enum class SpawnPart : std::uint8_t {
    start_ranks, ///< nobody did yet
    pass_by,     ///< an earlier call: it is over, our parent has waited for its ranks
    enter,       ///< we are a rank of this call: run the function
};

/// Follows a process on its way along its path.
class SpawnProgress {
public:
    explicit SpawnProgress(SpawnPath path) : path_(std::move(path)) {}

    /// At each call of spawn. After `enter` the calls counted are those that the function makes.
    SpawnPart next_call();

    /// The step entered last. Requires that there was one.
    const SpawnStep& entered() const { return path_[depth_ - 1]; }
    /// Whether the step entered last is what this process was made for.
    bool has_arrived() const { return depth_ == path_.size(); }

    /// Whether this process was made by a call at all.
    bool has_path() const { return !path_.empty(); }

    /// Of rank `rank` of the call that next_call answered with start_ranks.
    SpawnPath path_of_rank(std::uint32_t rank) const;

private:
    SpawnPath path_;
    std::size_t depth_ = 0;   ///< steps entered
    std::uint32_t calls_ = 0; ///< seen at this depth
};

} // namespace sdfleet::collective
