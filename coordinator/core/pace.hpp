// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/job_spec.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace sdfleet::coordinator {

/// What the items of a job ask of an actor: the same `kind` at the same pace takes time in proportion to `units`.
struct Work {
    std::string kind;    ///< model and picture size; "echo" for echo
    double units = 1;    ///< denoising steps; for echo: milliseconds of delay, and one more
    double guess_ms = 1; ///< how long a unit may take as long as nobody knows
};

Work work_of(const proto::JobSpec& spec);

/// Milliseconds per unit of each kind of work, learnt from what was done: exponentially weighted means, because an actor
/// may grow slower (heat, neighbours) or faster. Bounded: beyond `capacity` kinds the one learnt longest ago goes.
class Pace {
public:
    explicit Pace(std::size_t capacity) : capacity_(capacity) {}

    void learn(const std::string& kind, double ms_per_unit);
    std::optional<double> find(const std::string& kind) const;

private:
    struct Entry {
        double ms_per_unit = 0;
        std::size_t learnt_at = 0;
    };

    std::size_t capacity_;
    std::size_t lessons_ = 0;
    std::map<std::string, Entry> entries_;
};

} // namespace sdfleet::coordinator
