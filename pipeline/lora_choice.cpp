// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lora_choice.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace sdfleet::pipeline {

namespace {

std::optional<double> parse_number(std::string_view text)
{
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

} // namespace

LoraChoice parse_lora_choice(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos && colon > 0) {
        if (const auto weight = parse_number(text.substr(colon + 1))) {
            return LoraChoice{text.substr(0, colon), *weight};
        }
    }
    return LoraChoice{text};
}

base::Result<void> check_lora_choices(const std::vector<LoraChoice>& loras)
{
    if (loras.size() > max_loras) {
        return base::fail(base::ExitCode::usage, std::to_string(loras.size()) +
                                                     " LoRAs were given; a picture takes at most " +
                                                     std::to_string(max_loras));
    }
    for (const LoraChoice& lora : loras) {
        if (!std::isfinite(lora.weight) || std::abs(lora.weight) > max_lora_weight) {
            return base::fail(base::ExitCode::usage,
                              "the weight of LoRA " + lora.path.string() + " must be a number from -10 to 10");
        }
    }
    return {};
}

std::string lora_name(const std::filesystem::path& path)
{
    std::string name = path.stem().string();
    const bool utf8 = base::is_utf8(name);
    std::ranges::replace_if(
        name,
        [utf8](char c) {
            const auto byte = static_cast<unsigned char>(c);
            return byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8) || c == '<' || c == '>' || c == ':';
        },
        '_');
    return name;
}

} // namespace sdfleet::pipeline
