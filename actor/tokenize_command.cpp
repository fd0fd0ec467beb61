// SPDX-License-Identifier: Apache-2.0
#include "actor/tokenize_command.hpp"

#include "base/model_path.hpp"
#include "base/program_options.hpp"
#include "base/utf8.hpp"
#include "pipeline/clip_tokenizer.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

namespace sdfleet::actor {

namespace {

struct TokenizeOptions {
    std::string model;
    std::string subfolder = "tokenizer";
};

base::ExitCode tokenize(const TokenizeOptions& options)
{
    const auto fail = [](base::ExitCode code, const std::string& message) {
        return base::report("actor tokenize", base::Error{code, message});
    };
    const auto model = base::find_model_folder(options.model);
    if (!model) {
        return base::report("actor tokenize", model.error());
    }
    const auto folder = *model / options.subfolder;
    if (!std::filesystem::is_directory(folder)) {
        return fail(base::ExitCode::bad_input, folder.string() + ": no such tokenizer folder");
    }
    const auto tokenizer = pipeline::ClipTokenizer::load(folder);
    if (!tokenizer) {
        return base::report("actor tokenize", tokenizer.error());
    }
    std::size_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
        ++number;
        if (!base::is_utf8(line)) {
            return fail(base::ExitCode::usage, "line " + std::to_string(number) + " is not valid UTF-8");
        }
        std::cout << nlohmann::json(tokenizer->encode(line)).dump() << '\n';
    }
    std::cout.flush();
    return std::cout ? base::ExitCode::ok : fail(base::ExitCode::failed, "cannot write to standard output");
}

} // namespace

void add_tokenize_command(CLI::App& app, std::function<base::ExitCode()>& run)
{
    CLI::App* command = app.add_subcommand("tokenize", "Lines on stdin; a JSON array of token ids per line on stdout");
    const auto options = std::make_shared<TokenizeOptions>();
    command
        ->add_option("--model", options->model,
                     "Model folder in diffusers layout, or ORG/NAME in the Hugging Face cache")
        ->required();
    command->add_option("--subfolder", options->subfolder, "The tokenizer's folder inside it")->capture_default_str();
    command->callback([&run, options] { run = [options] { return tokenize(*options); }; });
}

} // namespace sdfleet::actor
