// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/autoencoder_kl.hpp"
#include "pipeline/fast_decoder.hpp"
#include "pipeline/recorded_function.hpp"

#include <optional>

namespace sdfleet::pipeline {

/// Decodes latents into pictures, and never into a picture of nothing: half precision overflows in some decoders.
class LatentDecoder {
public:
    static base::Result<LatentDecoder> load(const AutoencoderConfig& config, const WeightFiles& weights,
                                            at::TensorOptions options);

    /// As AutoencoderKL::decode, for one picture; on a GPU a large one, or one that memory does not suffice for, in tiles
    /// (tiled_decoding.hpp). What is not finite is decoded again in fp32, with weights that are read
    /// then and kept; what is not finite in fp32 either, or was not before, is an error: ExitCode::failed, with the reason.
    base::Result<at::Tensor> decode(const at::Tensor& latents);

    /// From now on in fast form, with results in channels_last memory that the next decode of their size overwrites.
    void make_fast(const FusedOperators& ops, Recorder recorder);

    /// Gives recordings back, with their memory.
    void forget_recordings() { recorded_.clear(); }

    const AutoencoderConfig& config() const { return vae_.config(); }
    const AutoencoderKL& vae() const { return vae_; }
    const WeightFiles& weights() const { return weights_; }
    at::TensorOptions options() const { return options_; } ///< device and type of the weights

private:
    LatentDecoder(AutoencoderKL vae, WeightFiles weights, at::TensorOptions options)
        : vae_(std::move(vae)), weights_(std::move(weights)), options_(options)
    {
    }
    at::Tensor decode_once(const at::Tensor& latents);
    at::Tensor decode_whole(const at::Tensor& latents);
    base::Result<at::Tensor> decode_again(const at::Tensor& latents);

    AutoencoderKL vae_;
    std::optional<fast::Decoder> fast_; ///< of vae_
    RecordedFunction recorded_;         ///< of fast_
    WeightFiles weights_;
    at::TensorOptions options_;         ///< of vae_
    std::optional<AutoencoderKL> fp32_; ///< once it was needed
};

} // namespace sdfleet::pipeline
