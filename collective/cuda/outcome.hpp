// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "collective/cuda/nccl_plugin.h"

#include <string>

namespace sdfleet::cuda {

/// What a function of the plug-in's table answers: a status, and one line that says why when it is an error.
struct Outcome {
    sdfleet_nccl_status status = SDFLEET_NCCL_DONE;
    std::string why;

    bool is_error() const { return status != SDFLEET_NCCL_DONE && status != SDFLEET_NCCL_PENDING; }
};

/// Cuts `text` to fit, makes one line of it, and ends it by 0.
template <std::size_t size>
void copy_line(const std::string& text, char (&into)[size])
{
    const std::size_t length = text.copy(into, size - 1);
    into[length] = '\0';
    for (std::size_t i = 0; i < length; ++i) {
        if (static_cast<unsigned char>(into[i]) < ' ') {
            into[i] = ' ';
        }
    }
}

} // namespace sdfleet::cuda
