// SPDX-License-Identifier: Apache-2.0
#include "sdctl/job_options.hpp"

#include "base/utf8.hpp"
#include "sdctl/prompts.hpp"

#include <charconv>
#include <random>
#include <string_view>
#include <system_error>

namespace sdfleet::sdctl {

namespace {

tl::unexpected<base::Error> usage(std::string message)
{
    return base::fail(base::ExitCode::usage, std::move(message));
}

/// "768x512" -> 768 wide, 512 high.
base::Result<void> set_size(std::string_view text, proto::DiffusionParameters& parameters)
{
    if (text.empty()) {
        return {};
    }
    const char* end = text.data() + text.size();
    const auto width = std::from_chars(text.data(), end, parameters.width);
    const bool has_width = width.ec == std::errc() && width.ptr != end && *width.ptr == 'x';
    const auto height = has_width ? std::from_chars(width.ptr + 1, end, parameters.height) : width;
    if (!has_width || height.ec != std::errc() || height.ptr != end || parameters.width == 0 ||
        parameters.height == 0) {
        return usage("--size: '" + std::string(text) + "' is not WIDTHxHEIGHT in pixels, as in 512x512");
    }
    return {};
}

base::Result<proto::Parameters> make_parameters(const JobOptions& options)
{
    if (options.echo_delay_ms) {
        return proto::Parameters{proto::EchoParameters{*options.echo_delay_ms, options.echo_bytes}};
    }
    if (options.negative_prompt && !base::is_utf8(*options.negative_prompt)) {
        return usage("--negative-prompt: this is not UTF-8");
    }
    proto::DiffusionParameters parameters;
    parameters.negative_prompt = options.negative_prompt;
    parameters.num_inference_steps = options.steps;
    parameters.guidance_scale = options.guidance_scale;
    parameters.scheduler = options.scheduler;
    parameters.prompt_syntax =
        options.prompt_syntax == "a1111" ? proto::PromptSyntax::a1111 : proto::PromptSyntax::plain;
    parameters.clip_skip = options.clip_skip;
    if (auto sized = set_size(options.size, parameters); !sized) {
        return tl::unexpected(sized.error());
    }
    return proto::Parameters{parameters};
}

base::Result<std::vector<Prompt>> collect_prompts(const JobOptions& options)
{
    if (options.prompts_file.empty() == options.prompts.empty()) {
        return usage("name either a file of prompts or --prompt TEXT (see --help)");
    }
    return options.prompts.empty() ? read_prompts(options.prompts_file) : check_prompts(options.prompts);
}

base::Result<void> choose_seed(JobOptions& options)
{
    if (options.seed < -1) {
        return usage("--seed: " + std::to_string(options.seed) + " is not 0 or more, or -1 for a random one");
    }
    if (options.seed == -1) {
        // 32 bits, because other programs that draw take no more.
        options.seed = std::random_device{}() & 0xFFFFFFFFU;
    }
    return {};
}

proto::Gather gather_of(const std::string& name)
{
    return name == "zmq" ? proto::Gather::zmq : name == "nccl" ? proto::Gather::nccl : proto::Gather::automatic;
}

proto::Split split_of(const std::string& name)
{
    return name == "contiguous" ? proto::Split::contiguous : name == "rank" ? proto::Split::rank : proto::Split::pull;
}

} // namespace

void add_job_options(CLI::App& command, JobOptions& o)
{
    command.add_option("prompts", o.prompts_file, "File with one prompt a line, UTF-8")->type_name("PROMPTS.txt");
    command.add_option("--prompt", o.prompts, "A prompt; may be repeated")->type_name("TEXT")->allow_extra_args(false);
    command.add_option("--model", o.model, "Name of the model (default: the only one that the fleet serves)");
    command.add_option("--seed", o.seed, "Of the first picture; the next one's is one more; -1 = random")
        ->capture_default_str();
    command.add_option("--steps", o.steps, "Denoising steps of each picture")->capture_default_str();
    command.add_option("--guidance-scale", o.guidance_scale, "How closely to follow the prompt; 1 = no guidance")
        ->capture_default_str();
    command.add_option("--size", o.size, "Width and height in pixels, multiples of 8 (default: the model's own)")
        ->type_name("WxH");
    command.add_option("--scheduler", o.scheduler, "How to denoise (default: the model folder's own)")
        ->check(CLI::IsMember(std::vector<std::string>(scheduler_names.begin(), scheduler_names.end())));
    command.add_option("--negative-prompt", o.negative_prompt, "What the pictures should not show");
    command
        .add_option("--prompt-syntax", o.prompt_syntax,
                    "plain, or a1111: (emphasis:1.2), [less], BREAK, and prompts of any length")
        ->check(CLI::IsMember({"plain", "a1111"}))
        ->capture_default_str();
    command.add_option("--clip-skip", o.clip_skip, "Layers that the text encoder leaves out at its end")
        ->capture_default_str();
    command
        .add_option("--split", o.split,
                    "pull: a free actor takes the next prompt; contiguous: equal shares in order; rank: each prompt "
                    "names its actor, as in '0: a dog'")
        ->check(CLI::IsMember({"pull", "contiguous", "rank"}))
        ->capture_default_str();
    command
        .add_option("--priority", o.priority, "Jobs of a higher priority go first, those of the same share the fleet")
        ->check(CLI::Range(-proto::max_priority, proto::max_priority))
        ->capture_default_str();
    command
        .add_option(
            "--group", o.group,
            "So many actors draw the job together, as one process group: all start at once, rank 0 gathers the images")
        ->check(CLI::Range(1U, proto::max_group));
    command.add_option("--gather", o.gather, "How a group's images come to its rank 0: auto, zmq or nccl")
        ->check(CLI::IsMember({"auto", "zmq", "nccl"}))
        ->needs("--group");
    auto* group = command.add_option_group("echo", "Test a fleet without drawing");
    group->add_option("--echo-delay-ms", o.echo_delay_ms, "Each prompt comes back as it is after this time");
    group->add_option("--echo-bytes", o.echo_bytes, "Repeat the prompt up to this size (0 = as it is)");
}

base::Result<proto::JobSpec> make_job_spec(JobOptions& options, ModelMeans model_means)
{
    proto::JobSpec spec;
    const auto prompts = collect_prompts(options);
    if (!prompts) {
        return tl::unexpected(prompts.error());
    }
    if (auto chosen = choose_seed(options); !chosen) {
        return tl::unexpected(chosen.error());
    }
    auto parameters = make_parameters(options);
    if (!parameters) {
        return tl::unexpected(parameters.error());
    }
    spec.parameters = std::move(*parameters);
    spec.model = options.model;
    spec.split = split_of(options.split);
    spec.priority = options.priority;
    spec.group = options.group;
    spec.gather = gather_of(options.gather);
    for (const auto& prompt : *prompts) {
        proto::ItemSpec item{prompt.text, static_cast<std::uint64_t>(options.seed) + spec.items.size(), std::nullopt};
        if (spec.split == proto::Split::rank) {
            auto ranked = take_rank(prompt);
            if (!ranked) {
                return tl::unexpected(ranked.error());
            }
            item.rank = ranked->rank;
            item.prompt = std::move(ranked->text);
        }
        spec.items.push_back(std::move(item));
    }
    auto checked = spec;
    if (!options.echo_delay_ms && (checked.model.empty() || model_means == ModelMeans::name_or_folder)) {
        checked.model = "any"; // its name is known only later
    }
    if (const auto fault = proto::find_fault(checked)) {
        return usage(*fault);
    }
    return spec;
}

std::string make_job_id()
{
    constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::size_t length = 12;
    std::random_device device;
    std::uniform_int_distribution<std::size_t> any(0, alphabet.size() - 1);
    std::string id;
    while (id.size() < length) {
        id += alphabet[any(device)];
    }
    return id;
}

} // namespace sdfleet::sdctl
