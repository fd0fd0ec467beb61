// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/diffusion_pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace sdfleet::pipeline {

/// What pictures must have in common to be drawn in one batch.
struct BatchKey {
    int width = 0;
    int height = 0;
    bool guided = false;         ///< rows with and without guidance need calls of different sizes
    std::size_t text_chunks = 1; ///< the length of what the cross-attentions look at
    std::vector<LoraChoice> loras;

    bool operator==(const BatchKey&) const = default;
};

struct BatchOptions {
    std::size_t max_rows = 1; ///< 1 to kernels::max_sample_rows

    /// Every call is made for max_rows rows, idle ones too, and a picture keeps its row: its bytes then do not depend on
    /// how many others are drawn with it. Without, a call is as large as it must be, and its size decides which of the
    /// library's algorithms is taken, and with it a picture's last bits.
    bool fixed = false;
};

/// Pictures that are drawn together, call by call of the denoiser: each joins and leaves between two calls, at its own
/// timestep, with its own guidance, scheduler and number of steps. Fast mode only. One thread at a time.
class PictureBatch {
public:
    using RowId = std::uint64_t;

    /// `pipeline` must outlive the object and draw nothing else meanwhile; it is in fast mode (is_fast()).
    PictureBatch(const DiffusionPipeline& pipeline, const BatchOptions& options);
    PictureBatch(PictureBatch&&) noexcept;
    PictureBatch& operator=(PictureBatch&&) noexcept;
    ~PictureBatch();

    /// `request` is for one picture and has passed DiffusionPipeline::check.
    BatchKey key_of(const GenerateRequest& request) const;

    /// Whether a picture of this key may join now: there is a row free, and the others have the same key.
    bool takes(const BatchKey& key) const;
    std::size_t size() const; ///< pictures that are being drawn

    /// Prepares one picture (text, noise, what is the same in all its steps). Errors: as DiffusionPipeline::generate's; the
    /// others are drawn on. The request must be one that takes() says yes to.
    base::Result<RowId> join(const GenerateRequest& request);

    struct Progress {
        RowId row = 0;
        int step = 0; ///< calls made of `steps`
        int steps = 0;
    };
    struct Ended {
        RowId row = 0;
        base::Result<Picture> picture;
    };
    struct Advance {
        std::vector<Progress> progress; ///< of every picture that was drawn on
        std::vector<Ended> ended;       ///< those that came to their end by it
    };

    /// One call of the denoiser for all. When the library fails (out of memory), every picture in the batch ends with that
    /// error, and the batch is empty and of use again.
    Advance step();

    /// Stops drawing this picture; does nothing if it has ended.
    void leave(RowId row);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace sdfleet::pipeline
