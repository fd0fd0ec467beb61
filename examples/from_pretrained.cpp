// SPDX-License-Identifier: Apache-2.0
// One picture from a model folder in diffusers layout: DiffusionPipeline.from_pretrained(...).to(device), in C++.
//
//   scripts/build release from_pretrained
//   build/release/bin/examples/from_pretrained models/tiny-shapes "a red circle" red.png
//
// Device and number type are chosen here: a GPU with half precision where this build can use one, else the CPU.
#include "examples/or_exit.hpp"
#include "examples/picture_file.hpp"

using namespace sdfleet;
using examples::or_exit;

int main(int argc, char** argv)
{
    if (argc != 4) {
        std::cerr << "usage: from_pretrained MODEL PROMPT FILE.png\n";
        return 2;
    }
    const auto pipeline = or_exit(
        pipeline::DiffusionPipeline::from_pretrained(argv[1], {.device = "auto", .dtype = pipeline::Dtype::automatic}));
    const auto picture = or_exit(examples::draw(pipeline, argv[2], 0));
    or_exit(examples::save(picture, argv[3]));
    std::cout << argv[3] << ": " << picture.parameters.width << " x " << picture.parameters.height << ", "
              << picture.parameters.dtype << std::endl;
}
