// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sdfleet::pipeline {

/// A picture that a request brings along: what to start from, or a mask.
struct InputImage {
    int width = 0;                 ///< pixels
    int height = 0;                ///< pixels
    std::vector<std::uint8_t> rgb; ///< height * width * 3, rows from the top
    std::string sha256;            ///< of the file it came from, for the metadata of what is drawn from it
};

} // namespace sdfleet::pipeline
