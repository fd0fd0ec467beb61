// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/blob.hpp"
#include "proto/program_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace sdfleet::coordinator {

/// What a program's ranks wrote and its client has not got yet. Bounded by what its nodes may send before some of it was
/// taken (proto::output_window each).
class ProgramOutputQueue {
public:
    struct Part {
        proto::ProgramRun run;
        proto::NodeId node;
        std::uint64_t node_offset_end = 0; ///< OutputTaken::until once this part was taken
        proto::OutputChunk chunk;
        proto::Blob bytes;
    };

    void push(Part part) { parts_.push_back(std::move(part)); }

    std::uint64_t last() const { return taken_ + parts_.size(); }
    bool empty() const { return parts_.empty(); }

    /// Parts are counted from 1 in the order in which they came. Forgets those up to `until`; returns how far each node's
    /// output was taken thereby.
    std::map<std::pair<proto::NodeId, proto::ProgramRun>, std::uint64_t> take(std::uint64_t until)
    {
        std::map<std::pair<proto::NodeId, proto::ProgramRun>, std::uint64_t> taken;
        while (!parts_.empty() && taken_ < until) {
            taken[{parts_.front().node, parts_.front().run}] = parts_.front().node_offset_end;
            parts_.pop_front();
            ++taken_;
        }
        return taken;
    }

    /// Adds the first parts to the answer, until they weigh `enough`.
    void append_to(proto::ProgramChanges& changes, std::string& bytes, std::size_t enough) const
    {
        changes.last_output = taken_;
        std::uint64_t weight = 0;
        for (const auto& part : parts_) {
            if (weight >= enough) {
                return;
            }
            weight += proto::weight_of(part.chunk);
            changes.output.push_back(part.chunk);
            bytes.append(reinterpret_cast<const char*>(part.bytes.bytes.data()), part.bytes.bytes.size());
            ++changes.last_output;
        }
    }

private:
    std::deque<Part> parts_;
    std::uint64_t taken_ = 0;
};

} // namespace sdfleet::coordinator
