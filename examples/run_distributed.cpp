// SPDX-License-Identifier: Apache-2.0
// Prompts split between processes, one pipeline on each device: the guide's recipe for accelerate, in C++.
//
//   scripts/build release run_distributed
//   build/release/bin/sdctl launch --local 2 -- build/release/bin/examples/run_distributed models/tiny-shapes
//
// On a fleet: sdctl launch -n 4 -- ... On one machine torchrun and accelerate start it just as well; started by itself it
// draws everything. Process p writes its pictures to the folder that it runs in: result_p.png, and with more prompts than
// processes result_p_1.png, result_p_2.png and so on.
//
// usage: run_distributed MODEL [PROMPT...]        (default: "a red circle" "a blue square")
#include "collective/partial_state.hpp"
#include "examples/or_exit.hpp"
#include "examples/picture_file.hpp"

#include <string>
#include <vector>

using namespace sdfleet;
using examples::or_exit;

namespace {

/// A picture depends on the two alone, so that it is the same however many processes there are.
struct Item {
    std::string prompt;
    std::uint64_t seed = 0;
};

std::vector<Item> items_of(int argc, char** argv)
{
    std::vector<std::string> prompts(argv + 2, argv + argc);
    if (prompts.empty()) {
        prompts = {"a red circle", "a blue square"};
    }
    std::vector<Item> items;
    for (const auto& prompt : prompts) {
        items.push_back({prompt, items.size()});
    }
    return items;
}

std::string file_name(std::uint32_t process_index, std::size_t i)
{
    return "result_" + std::to_string(process_index) + (i == 0 ? "" : "_" + std::to_string(i)) + ".png";
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: run_distributed MODEL [PROMPT...]\n";
        return 2;
    }
    const auto distributed_state = or_exit(collective::PartialState::from_environment());
    const auto pipeline =
        or_exit(pipeline::DiffusionPipeline::from_pretrained(argv[1], {.device = distributed_state.device()}));

    const auto mine = distributed_state.split_between_processes(items_of(argc, argv));
    for (std::size_t i = 0; i < mine.size(); ++i) {
        const auto result = or_exit(examples::draw(pipeline, mine[i].prompt, mine[i].seed));
        const auto file = file_name(distributed_state.process_index(), i);
        or_exit(examples::save(result, file));
        std::cout << file << ": " << mine[i].prompt << std::endl;
    }
}
