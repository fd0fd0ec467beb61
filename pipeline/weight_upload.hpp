// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sdfleet::pipeline {

struct UploadLimits {
    std::size_t threads = 4;               ///< that read
    std::size_t chunk_bytes = 16ULL << 20; ///< of each transfer
    std::size_t chunks_per_thread = 2;     ///< buffers: one is filled while another is on its way
};

/// Brings a file's tensors onto a GPU: several threads read the mapping into page-locked buffers, from which the GPU fetches
/// them while the next ones are filled, and it converts their types itself. Plain copies out of a mapping, one tensor after
/// the other, leave the bus idle most of the time. Works on the CPU too, with ordinary buffers, which is how it is tested.
class WeightUpload {
public:
    /// `options`: device and type of the tensors to make.
    explicit WeightUpload(at::TensorOptions options, UploadLimits limits = {}) : options_(options), limits_(limits) {}

    /// A tensor of `shape` whose values will be `bytes`, of the file's type `from`: after run() and not before. `bytes` may
    /// be unaligned and must live until then.
    at::Tensor add(std::span<const std::byte> bytes, at::IntArrayRef shape, at::ScalarType from);

    /// Fills all tensors that were added since the last time, and waits until they are there. Throws what the library
    /// throws; the tensors are of no use then.
    void run();

private:
    struct Transfer {
        std::span<const std::byte> from;
        at::Tensor to; ///< bytes, as many
    };
    struct Conversion {
        at::Tensor from;
        at::Tensor to;
    };
    class Reader;

    at::TensorOptions options_;
    UploadLimits limits_;
    std::vector<Transfer> transfers_;
    std::vector<Conversion> conversions_;
};

} // namespace sdfleet::pipeline
