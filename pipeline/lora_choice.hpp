// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sdfleet::pipeline {

/// A LoRA (https://arxiv.org/abs/2106.09685) to draw with, and how strongly.
struct LoraChoice {
    std::filesystem::path path;
    double weight = 1; ///< 0: as if it were not there; below 0: away from what it learned

    bool operator==(const LoraChoice&) const = default;
};

inline constexpr std::size_t max_loras = 16;
inline constexpr double max_lora_weight = 10; ///< and -10 the other way

/// FILE or FILE:WEIGHT; what follows the last colon is a weight if it is a number, else part of the name.
LoraChoice parse_lora_choice(std::string_view text);

/// ExitCode::usage for too many of them or a weight out of range. Looks at no file.
base::Result<void> check_lora_choices(const std::vector<LoraChoice>& loras);

/// A LoRA that a picture was drawn with.
struct LoraUse {
    std::string name;        ///< of the file, without folder and extension
    std::string sha256;      ///< of the file
    std::string data_sha256; ///< of the file behind its header, which editing a LoRA's description leaves as it is
    double weight = 1;

    bool operator==(const LoraUse&) const = default;
};

/// `path`'s stem as text that fits between the signs of "<lora:name:1>": UTF-8, and '_' for what would end the name.
std::string lora_name(const std::filesystem::path& path);

} // namespace sdfleet::pipeline
