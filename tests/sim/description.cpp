// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/description.hpp"

#include "proto/message_table.hpp"

namespace sdfleet::sim {

namespace {

template <class Body>
std::string describe_body(const Body& body)
{
    std::string text(proto::info_of(body.type).name);
    if constexpr (requires { body.attempt_id.value; }) {
        text += " " + describe(body.attempt_id);
    }
    if constexpr (requires { body.job_id.value; }) {
        text += " " + body.job_id.value;
    }
    if constexpr (requires { body.index.value; }) {
        text += "/" + std::to_string(body.index.value);
    }
    if constexpr (requires { body.slot.value; }) {
        text += " slot " + std::to_string(body.slot.value);
    }
    if constexpr (requires { body.job.job_id; }) {
        text += " " + body.job.job_id.value + " state " + std::to_string(static_cast<int>(body.job.state));
    }
    if constexpr (requires { body.verdict; }) {
        text += " verdict " + std::to_string(static_cast<int>(body.verdict));
    }
    if constexpr (requires { body.reason; }) {
        text += " reason " + std::to_string(static_cast<int>(body.reason));
    }
    if constexpr (requires { body.error; }) {
        text += " error " + std::to_string(static_cast<int>(body.error));
    }
    if constexpr (requires { body.message.size(); }) {
        text += " (" + body.message + ")";
    }
    if constexpr (requires { body.incarnation.value; }) {
        text += " incarnation " + std::to_string(body.incarnation.value) +
                (body.channel == proto::Channel::bulk ? " bulk" : "");
    }
    if constexpr (requires { body.attempts.begin(); }) {
        for (const auto& attempt : body.attempts) {
            if constexpr (requires { attempt.attempt_id; }) {
                text += " " + describe(attempt.attempt_id);
            } else {
                text += " " + describe(attempt);
            }
        }
    }
    return text;
}

} // namespace

std::string describe(proto::AttemptId id)
{
    return "#" + std::to_string(id.value >> 32U) + "." + std::to_string(id.value & 0xffffffffU);
}

std::string describe(const proto::Message& message)
{
    return std::visit([](const auto& body) { return describe_body(body); }, message);
}

} // namespace sdfleet::sim
