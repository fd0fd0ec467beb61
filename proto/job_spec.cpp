// SPDX-License-Identifier: Apache-2.0
#include "proto/job_spec.hpp"

#include <algorithm>
#include <cmath>

namespace sdfleet::proto {

namespace {

std::optional<std::string> find_fault_in_side(const char* name, std::uint32_t pixels)
{
    if (pixels % 8 != 0 || pixels > max_image_side) {
        return std::string(name) + " must be a multiple of 8 up to " + std::to_string(max_image_side) + ", not " +
               std::to_string(pixels);
    }
    return std::nullopt;
}

std::optional<std::string> find_fault_in(const DiffusionParameters& parameters)
{
    if (parameters.num_inference_steps == 0 || parameters.num_inference_steps > max_inference_steps) {
        return "steps must be 1 to " + std::to_string(max_inference_steps) + ", not " +
               std::to_string(parameters.num_inference_steps);
    }
    if (!std::isfinite(parameters.guidance_scale)) {
        return "guidance scale must be a finite number";
    }
    if (parameters.negative_prompt && parameters.negative_prompt->size() > max_prompt_bytes) {
        return "the negative prompt is longer than " + std::to_string(max_prompt_bytes) + " bytes";
    }
    if (parameters.clip_skip > max_clip_skip) {
        return "clip skip must be 0 to " + std::to_string(max_clip_skip) + ", not " +
               std::to_string(parameters.clip_skip);
    }
    if (const auto fault = find_fault_in_side("height", parameters.height)) {
        return fault;
    }
    return find_fault_in_side("width", parameters.width);
}

std::optional<std::string> find_fault_in(const EchoParameters& parameters)
{
    constexpr std::uint32_t max_delay_ms = 3'600'000;
    if (parameters.delay_ms > max_delay_ms || parameters.result_bytes > max_echo_bytes) {
        return "echo allows a delay up to " + std::to_string(max_delay_ms) + " ms and a result up to " +
               std::to_string(max_echo_bytes) + " bytes";
    }
    return std::nullopt;
}

} // namespace

void Parameters::msgpack_unpack(const msgpack::object& object)
{
    if (object.type != msgpack::type::MAP || object.via.map.size != 1) {
        throw msgpack::type_error();
    }
    const auto& entry = object.via.map.ptr[0];
    const auto name = entry.key.as<std::string>();
    if (name == "diffusion") {
        kind = entry.val.as<DiffusionParameters>();
    } else if (name == "echo") {
        kind = entry.val.as<EchoParameters>();
    } else {
        throw msgpack::type_error();
    }
}

bool is_valid_name(const std::string& name)
{
    constexpr std::size_t max_name_bytes = 64;
    return !name.empty() && name.size() <= max_name_bytes && name.front() != '.' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '-';
           });
}

std::optional<std::string> find_fault(const JobSpec& spec)
{
    if (spec.items.empty()) {
        return "a job needs at least one prompt";
    }
    if (spec.items.size() > max_items_per_job) {
        return "a job holds at most " + std::to_string(max_items_per_job) + " prompts, not " +
               std::to_string(spec.items.size());
    }
    if (spec.group > max_group) {
        return "a group has at most " + std::to_string(max_group) + " members, not " + std::to_string(spec.group);
    }
    if (spec.group > 0 && spec.split == Split::rank) {
        for (std::size_t i = 0; i < spec.items.size(); ++i) {
            if (spec.items[i].rank.value_or(0) >= spec.group) {
                return "item " + std::to_string(i) + " is for rank " + std::to_string(spec.items[i].rank.value_or(0)) +
                       " of a group of " + std::to_string(spec.group) + " (ranks count from 0)";
            }
        }
    }
    if (spec.group == 0 && spec.gather != Gather::automatic) {
        return "a way to gather is only for a group of actors";
    }
    if (spec.group > 0 && std::holds_alternative<EchoParameters>(spec.parameters.kind) && spec.gather == Gather::nccl) {
        return "echo has no images to gather over NCCL";
    }
    if (spec.priority < -max_priority || spec.priority > max_priority) {
        return "a priority is a number from " + std::to_string(-max_priority) + " to " + std::to_string(max_priority) +
               ", not " + std::to_string(spec.priority);
    }
    for (std::size_t i = 0; i < spec.items.size(); ++i) {
        if (spec.items[i].prompt.size() > max_prompt_bytes) {
            return "prompt " + std::to_string(i) + " is longer than " + std::to_string(max_prompt_bytes) + " bytes";
        }
        if (spec.items[i].rank.has_value() != (spec.split == Split::rank)) {
            return "prompt " + std::to_string(i) +
                   (spec.split == Split::rank ? " names no rank, which split 'rank' needs"
                                              : " names a rank, which only split 'rank' takes");
        }
    }
    const bool is_echo = std::holds_alternative<EchoParameters>(spec.parameters.kind);
    if (is_echo != spec.model.empty() || (!is_echo && !is_valid_name(spec.model))) {
        return is_echo ? "echo takes no model" : "'" + spec.model + "' is not a model name (letters, digits, . _ -)";
    }
    return std::visit([](const auto& parameters) { return find_fault_in(parameters); }, spec.parameters.kind);
}

} // namespace sdfleet::proto
