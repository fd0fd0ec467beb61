// SPDX-License-Identifier: Apache-2.0
#include "sdctl/manifest_entry.hpp"

#include <cinttypes>
#include <cstdio>

namespace sdfleet::sdctl {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

void add(ordered_json& line, const proto::DiffusionParameters& parameters)
{
    if (parameters.negative_prompt) {
        line["negative_prompt"] = *parameters.negative_prompt;
    }
    line["steps"] = parameters.num_inference_steps;
    line["guidance_scale"] = parameters.guidance_scale;
    if (parameters.width != 0 || parameters.height != 0) {
        line["width"] = parameters.width;
        line["height"] = parameters.height;
    }
    if (!parameters.scheduler.empty()) {
        line["scheduler"] = parameters.scheduler;
    }
    if (parameters.prompt_syntax == proto::PromptSyntax::a1111) {
        line["prompt_syntax"] = "a1111";
    }
    if (parameters.clip_skip != 0) {
        line["clip_skip"] = parameters.clip_skip;
    }
}

void add(ordered_json& line, const proto::EchoParameters& parameters)
{
    line["echo_delay_ms"] = parameters.delay_ms;
    line["echo_bytes"] = parameters.result_bytes;
}

proto::Parameters parameters_of(const json& line)
{
    if (line.contains("echo_delay_ms")) {
        return {proto::EchoParameters{line.at("echo_delay_ms").get<std::uint32_t>(),
                                      line.at("echo_bytes").get<std::uint32_t>()}};
    }
    proto::DiffusionParameters parameters;
    if (line.contains("negative_prompt")) {
        parameters.negative_prompt = line.at("negative_prompt").get<std::string>();
    }
    parameters.num_inference_steps = line.at("steps").get<std::uint32_t>();
    parameters.guidance_scale = line.at("guidance_scale").get<double>();
    parameters.width = line.value("width", 0U);
    parameters.height = line.value("height", 0U);
    parameters.scheduler = line.value("scheduler", "");
    if (line.value("prompt_syntax", "") == "a1111") {
        parameters.prompt_syntax = proto::PromptSyntax::a1111;
    }
    parameters.clip_skip = line.value("clip_skip", 0U);
    return {parameters};
}

ManifestEntry entry_of(const json& line)
{
    ManifestEntry entry;
    entry.index = line.at("index").get<std::uint32_t>();
    entry.prompt = line.at("prompt").get<std::string>();
    entry.seed = line.at("seed").get<std::uint64_t>();
    entry.model = line.value("model", "");
    entry.model_fingerprint = line.value("model_fingerprint", "");
    entry.parameters = parameters_of(line);
    entry.file = line.value("file", "");
    entry.sha256 = line.value("sha256", "");
    entry.node = line.value("node", "");
    entry.actor = line.value("actor", "");
    entry.elapsed_ms = line.value("ms", std::uint64_t{0});
    entry.job = line.value("job", "");
    entry.error = line.value("error", "");
    return entry;
}

} // namespace

ordered_json to_json(const ManifestEntry& entry)
{
    ordered_json line;
    line["index"] = entry.index;
    line["prompt"] = entry.prompt;
    line["seed"] = entry.seed;
    if (entry.error.empty()) {
        line["file"] = entry.file;
        line["sha256"] = entry.sha256;
    } else {
        line["error"] = entry.error;
    }
    line["node"] = entry.node;
    line["actor"] = entry.actor;
    line["ms"] = entry.elapsed_ms;
    if (!entry.model.empty()) {
        line["model"] = entry.model;
    }
    if (!entry.model_fingerprint.empty()) {
        line["model_fingerprint"] = entry.model_fingerprint;
    }
    std::visit([&line](const auto& parameters) { add(line, parameters); }, entry.parameters.kind);
    line["job"] = entry.job;
    return line;
}

std::optional<ManifestEntry> parse_manifest_line(std::string_view line)
{
    try {
        return entry_of(json::parse(line));
    } catch (const json::exception&) {
        return std::nullopt;
    }
}

std::string picture_file_name(std::uint32_t index, std::uint64_t seed, std::string_view extension)
{
    char digits[32];
    std::snprintf(digits, sizeof digits, "%06" PRIu32 "-%" PRIu64, index, seed);
    return std::string(digits).append(extension);
}

} // namespace sdfleet::sdctl
