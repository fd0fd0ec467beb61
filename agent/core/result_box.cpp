// SPDX-License-Identifier: Apache-2.0
#include "agent/core/result_box.hpp"

#include <algorithm>
#include <utility>

namespace sdfleet::agent {

void ResultBox::add(FinishedAttempt result)
{
    std::size_t bytes = 0;
    for (const auto& blob : result.blobs) {
        bytes += blob.bytes.size();
    }
    bytes_ += bytes;
    results_.push_back({std::move(result), bytes, std::nullopt});
}

std::deque<ResultBox::Entry>::iterator ResultBox::find(proto::AttemptId id)
{
    return std::find_if(results_.begin(), results_.end(),
                        [&](const Entry& entry) { return entry.result.attempt.attempt_id == id; });
}

bool ResultBox::acknowledge(proto::AttemptId id)
{
    const auto found = find(id);
    if (found == results_.end()) {
        return false;
    }
    bytes_ -= found->bytes;
    if (found->sent_at) {
        --on_wire_;
        bytes_on_wire_ -= found->bytes;
    }
    results_.erase(found);
    return true;
}

bool ResultBox::contains(proto::AttemptId id) const
{
    return std::any_of(results_.begin(), results_.end(),
                       [&](const Entry& entry) { return entry.result.attempt.attempt_id == id; });
}

void ResultBox::report_to(std::vector<proto::AttemptReport>& reports) const
{
    for (const auto& entry : results_) {
        reports.push_back(entry.result.attempt);
    }
}

void ResultBox::forget_what_was_sent()
{
    for (auto& entry : results_) {
        entry.sent_at.reset();
    }
    on_wire_ = 0;
    bytes_on_wire_ = 0;
}

std::vector<proto::Packet> ResultBox::take_sendable(Milliseconds now)
{
    std::vector<proto::Packet> packets;
    if (on_wire_ == results_.size()) {
        return packets;
    }
    for (auto& entry : results_) {
        if (entry.sent_at) {
            continue;
        }
        const bool fits = on_wire_ == 0 || (on_wire_ < limits_.results_on_wire &&
                                            bytes_on_wire_ + entry.bytes <= limits_.result_bytes_on_wire);
        if (!fits) {
            break;
        }
        entry.sent_at = now;
        ++on_wire_;
        bytes_on_wire_ += entry.bytes;
        packets.push_back({{}, entry.result.message, entry.result.blobs});
    }
    return packets;
}

std::optional<Milliseconds> ResultBox::ack_deadline() const
{
    // Results are sent in order, so the first one on the wire is the oldest.
    const auto oldest =
        std::find_if(results_.begin(), results_.end(), [](const Entry& entry) { return entry.sent_at; });
    if (oldest == results_.end()) {
        return std::nullopt;
    }
    return *oldest->sent_at + limits_.result_ack_timeout;
}

void ResultBox::clear()
{
    results_.clear();
    bytes_ = on_wire_ = bytes_on_wire_ = 0;
}

} // namespace sdfleet::agent
