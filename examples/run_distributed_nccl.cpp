// SPDX-License-Identifier: Apache-2.0
// A process group, a prompt chosen by rank: the guide's recipe for torch.distributed, in
// C++. Where the ranks have GPUs the group's backend is NCCL, elsewhere ZeroMQ.
//
//   scripts/build release run_distributed_nccl
//   build/release/bin/examples/run_distributed_nccl models/tiny-shapes
//
// It starts its two ranks itself, as mp.spawn does. Under a launcher it is a rank:
//   build/release/bin/sdctl launch --local 2 -- build/release/bin/examples/run_distributed_nccl models/tiny-shapes
//
// Writes a_red_circle.png and a_blue_square.png; ranks beyond the second draw nothing.
#include "collective/partial_state.hpp"
#include "collective/process_group.hpp"
#include "collective/spawn.hpp"
#include "examples/or_exit.hpp"
#include "examples/picture_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

using namespace sdfleet;
using collective::Backend;
using examples::or_exit;

namespace {

/// What this rank is to draw.
std::string prompt_of(std::uint32_t rank)
{
    return rank == 0 ? "a red circle" : rank == 1 ? "a blue square" : "";
}

std::string file_name(std::string prompt)
{
    std::ranges::replace(prompt, ' ', '_');
    return prompt + ".png";
}

Backend backend_for(const std::string& device)
{
    const bool has_gpu = device.starts_with("cuda");
    // In one piece, because the ranks share stderr.
    std::cerr << std::string(has_gpu ? "backend nccl\n"
                                     : "backend zmq: no GPU for this rank, or no plug-in to use it with\n");
    return has_gpu ? Backend::nccl : Backend::zmq;
}

int run_inference(const std::string& model)
{
    const auto device = or_exit(collective::PartialState::from_environment()).device();
    auto group = or_exit(collective::init_process_group(backend_for(device)));
    const auto pipeline = or_exit(pipeline::DiffusionPipeline::from_pretrained(model, {.device = device}));

    const std::string prompt = prompt_of(group.rank());
    if (!prompt.empty()) {
        const auto picture = or_exit(examples::draw(pipeline, prompt, 0));
        or_exit(examples::save(picture, file_name(prompt)));
    }
    or_exit(group.barrier());
    if (group.rank() == 0) {
        std::cout << "all " << group.world_size() << " ranks are done" << std::endl;
    }
    return EXIT_SUCCESS;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::cerr << "usage: run_distributed_nccl MODEL\n";
        return 2;
    }
    const std::string model = argv[1];
    if (std::getenv("RANK") != nullptr && !collective::is_spawned()) {
        return run_inference(model);
    }
    or_exit(collective::spawn([&](std::uint32_t) { return run_inference(model); }, 2));
}
