// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/device_request.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>
#include <string_view>

namespace sdfleet::agent::devices {

namespace {

constexpr std::string_view gpu_prefix = "cuda:";

/// The whole text, in digits.
std::optional<std::size_t> parse_number(std::string_view text)
{
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// `may_be_number`: after a cuda:N.
std::optional<DeviceTerm> parse_term(std::string_view text, bool may_be_number)
{
    const auto star = text.find('*');
    const auto device = text.substr(0, star);
    const auto actors = star == std::string_view::npos ? 1 : parse_number(text.substr(star + 1)).value_or(0);
    if (actors == 0) {
        return std::nullopt;
    }
    if (device == "cpu") {
        return Processor{actors};
    }
    if (device == "cuda") {
        return EveryGpu{actors};
    }
    const bool has_prefix = device.starts_with(gpu_prefix);
    if (!has_prefix && !may_be_number) {
        return std::nullopt;
    }
    const auto index = parse_number(has_prefix ? device.substr(gpu_prefix.size()) : device);
    return index ? std::optional(DeviceTerm(OneGpu{*index, actors})) : std::nullopt;
}

} // namespace

bool DeviceRequest::concerns_gpus() const
{
    return is_automatic ||
           std::ranges::any_of(terms, [](const DeviceTerm& term) { return !std::holds_alternative<Processor>(term); });
}

base::Result<DeviceRequest> parse_device_request(const std::string& text)
{
    if (text == "auto") {
        return DeviceRequest{text, true, {}};
    }
    if (text.empty()) {
        return base::fail(base::ExitCode::usage, "--devices names no device");
    }
    DeviceRequest request{text, false, {}};
    for (const auto part : std::views::split(std::string_view(text), ',')) {
        const std::string_view word(part.begin(), part.end());
        const bool follows_gpu = !request.terms.empty() && std::holds_alternative<OneGpu>(request.terms.back());
        const auto term = parse_term(word, follows_gpu);
        if (!term) {
            return base::fail(
                base::ExitCode::usage,
                "--devices " + text + ": '" + std::string(word) +
                    "' is no device; use auto, or a list of cpu, cpu*K, cuda, cuda*K, cuda:N and cuda:N*K");
        }
        request.terms.push_back(*term);
    }
    return request;
}

} // namespace sdfleet::agent::devices
