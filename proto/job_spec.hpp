// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sdfleet::proto {

constexpr std::size_t max_prompt_bytes = 10'000;
constexpr std::size_t max_items_per_job = 100'000;
constexpr std::uint32_t max_image_side = 4096;
constexpr std::uint32_t max_inference_steps = 1000;
constexpr std::uint32_t max_clip_skip = 100;
constexpr std::int32_t max_priority = 100;
constexpr std::uint32_t max_group = 256;
constexpr std::uint32_t max_echo_bytes = 8 * 1024 * 1024;

/// How the texts of prompts are read.
enum class PromptSyntax : std::uint8_t {
    plain = 0, ///< every sign means itself; what exceeds the text encoder's length is cut off
    a1111 = 1  ///< (emphasis:1.2), [less of it], BREAK, and any length
};
constexpr PromptSyntax last_enumerator(PromptSyntax)
{
    return PromptSyntax::a1111;
}

/// What all pictures of a job share. Names are those of diffusers' StableDiffusionPipeline.__call__.
struct DiffusionParameters {
    std::optional<std::string> negative_prompt; ///< absent and "" are not the same to every model (SDXL)
    std::uint32_t num_inference_steps = 50;
    double guidance_scale = 7.5;
    std::uint32_t height = 0; ///< pixels; 0 = the model's own
    std::uint32_t width = 0;  ///< pixels; 0 = the model's own
    std::string scheduler;    ///< empty = the model folder's own
    PromptSyntax prompt_syntax = PromptSyntax::plain;
    std::uint32_t clip_skip = 0; ///< layers that the text encoder leaves out at its end

    bool operator==(const DiffusionParameters&) const = default;
    SDFLEET_WIRE_MAP(negative_prompt, num_inference_steps, guidance_scale, height, width, scheduler, prompt_syntax,
                     clip_skip)
};

/// Gives back each item's prompt as its result after a delay: for tests and benchmarks of the runtime.
struct EchoParameters {
    std::uint32_t delay_ms = 0;
    std::uint32_t result_bytes = 0; ///< the prompt is repeated up to this many bytes; 0 = the prompt itself

    bool operator==(const EchoParameters&) const = default;
    SDFLEET_WIRE_MAP(delay_ms, result_bytes)
};

/// What kind of work a job is. On the wire: a map with one key, the kind's name.
struct Parameters {
    std::variant<DiffusionParameters, EchoParameters> kind;

    bool operator==(const Parameters&) const = default;
    const char* kind_name() const { return std::holds_alternative<EchoParameters>(kind) ? "echo" : "diffusion"; }

    template <class Packer>
    void msgpack_pack(Packer& packer) const
    {
        packer.pack_map(1);
        packer.pack(kind_name());
        std::visit([&packer](const auto& parameters) { packer.pack(parameters); }, kind);
    }
    void msgpack_unpack(const msgpack::object& object);
};

/// How items find their actor.
enum class Split : std::uint8_t {
    pull = 0,       ///< whichever actor is free takes the next one
    contiguous = 1, ///< accelerate's split_between_processes over the actors at the time of submit
    rank = 2        ///< each item names its rank, as the torch.distributed recipe does
};
constexpr Split last_enumerator(Split)
{
    return Split::rank;
}

/// How the images of a group come to its rank 0.
enum class Gather : std::uint8_t {
    automatic = 0, ///< nccl where all members have GPUs of their own, else zmq
    zmq = 1,
    nccl = 2
};
constexpr Gather last_enumerator(Gather)
{
    return Gather::nccl;
}

struct ItemSpec {
    std::string prompt; ///< UTF-8, at most max_prompt_bytes; for echo any bytes
    std::uint64_t seed = 0;
    std::optional<std::uint32_t> rank; ///< only and always with Split::rank

    bool operator==(const ItemSpec&) const = default;
    SDFLEET_WIRE_MAP(prompt, seed, rank)
};

struct JobSpec {
    std::string model; ///< the name under which agents serve it; empty for echo
    Split split = Split::pull;
    Parameters parameters;
    std::vector<ItemSpec> items;
    std::int32_t priority = 0; ///< jobs of a higher one go first, those of the same share the fleet; -100 to 100
    std::uint32_t group = 0;   ///< so many actors draw it together, as one process group; 0 = each on its own
    Gather gather = Gather::automatic; ///< only with a group

    bool operator==(const JobSpec&) const = default;
    SDFLEET_WIRE_MAP(model, split, parameters, items, priority, group, gather)
};

/// Why a job may not be submitted, whatever the fleet; nothing when it may. Pure: the client calls it for an early,
/// clear usage error, the coordinator because it trusts no client.
std::optional<std::string> find_fault(const JobSpec& spec);

} // namespace sdfleet::proto
