// SPDX-License-Identifier: Apache-2.0
// A config of a model's component; the first byte chooses whose.
#include "fuzz/scratch.hpp"
#include "pipeline/autoencoder_config.hpp"
#include "pipeline/clip_text_config.hpp"
#include "pipeline/unet_config.hpp"
#include "pipeline/weight_files.hpp"

using namespace sdfleet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::Scratch scratch;
    if (size == 0) {
        return 0;
    }
    const auto text = fuzz::text_of(data + 1, size - 1);
    switch (data[0]) {
    case 'u':
        (void)pipeline::read_unet_config(scratch.write("config.json", text));
        break;
    case 'v':
        (void)pipeline::read_autoencoder_config(scratch.write("config.json", text));
        break;
    case 't':
        (void)pipeline::read_clip_text_config(scratch.write("config.json", text), pipeline::TextHead::none);
        break;
    case 'p':
        (void)pipeline::read_clip_text_config(scratch.write("config.json", text), pipeline::TextHead::projection);
        break;
    case 'w':
        scratch.write("model.safetensors.index.json", text);
        (void)pipeline::find_weights(scratch.path(), "model", "");
        break;
    default:
        break;
    }
    return 0;
}
