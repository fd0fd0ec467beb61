// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace sdfleet::pipeline {

/// Whether a failure of the library, in its words, was one after which a process can do nothing more with its GPU: CUDA
/// answers every later call with the same error, and only a new process gets a new context. Lack of memory is none of them,
/// nor is a call that was wrong from the beginning.
inline bool is_lost_device(std::string_view message)
{
    // As cudaGetErrorString puts them, and what the libraries that run on CUDA make of them.
    constexpr std::array words{std::string_view("an illegal memory access was encountered"),
                               std::string_view("an illegal instruction was encountered"),
                               std::string_view("misaligned address"),
                               std::string_view("invalid program counter"),
                               std::string_view("operation not supported on global/shared address space"),
                               std::string_view("hardware stack error"),
                               std::string_view("device-side assert triggered"),
                               std::string_view("unspecified launch failure"),
                               std::string_view("the launch timed out and was terminated"),
                               std::string_view("uncorrectable ECC error encountered"),
                               std::string_view("uncorrectable NVLink error detected"),
                               std::string_view("context is destroyed"),
                               std::string_view("CUDA error: unknown error"),
                               std::string_view("CUBLAS_STATUS_EXECUTION_FAILED"),
                               std::string_view("CUDNN_STATUS_EXECUTION_FAILED")};
    const bool is_of_cuda = message.find("CUDA") != std::string_view::npos ||
                            message.find("CUBLAS") != std::string_view::npos ||
                            message.find("CUDNN") != std::string_view::npos;
    return is_of_cuda && std::ranges::any_of(words, [&](std::string_view word) {
               return message.find(word) != std::string_view::npos;
           });
}

} // namespace sdfleet::pipeline
