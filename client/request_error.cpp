// SPDX-License-Identifier: Apache-2.0
#include "client/request_error.hpp"

namespace sdfleet::client {

base::Error error_of(const proto::RequestFailed& refusal)
{
    const auto code = refusal.error == proto::RequestError::invalid ? base::ExitCode::usage : base::ExitCode::failed;
    return {code, refusal.message};
}

base::Error error_of(const proto::Refused& refusal, const std::string& endpoint)
{
    std::string message = "the coordinator at " + endpoint + " refuses this program: " + refusal.message;
    if (refusal.reason == proto::RefusalReason::protocol_version) {
        const auto range = [](std::uint16_t min, std::uint16_t max) {
            return std::to_string(min) + " to " + std::to_string(max);
        };
        message = "the coordinator at " + endpoint + " speaks protocol versions " +
                  range(refusal.protocol_min, refusal.protocol_max) + ", this program " +
                  range(proto::protocol_version_min, proto::protocol_version_max) +
                  "; use programs of the same release on both sides";
    }
    return {base::ExitCode::failed, std::move(message)};
}

} // namespace sdfleet::client
