// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tokenizer_files.hpp"

#include "base/atomic_file.hpp"
#include "pipeline/config_reader.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::int64_t max_token_id = (std::int64_t{1} << 31) - 1; // pairs of ids share 64 bits
constexpr std::int64_t longest_prompt = 1 << 16;

base::Result<void> bad(const fs::path& path, const std::string& what)
{
    return base::fail(base::ExitCode::bad_input, path.string() + ": " + what);
}

base::Result<void> read_vocabulary(const json& vocab, const fs::path& path, Vocabulary& vocabulary)
{
    if (!vocab.is_object() || vocab.empty()) {
        return bad(path, "its vocabulary is not an object of tokens and ids");
    }
    for (const auto& [token, id] : vocab.items()) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::uint64_t{max_token_id}) {
            return bad(path, "the id of token '" + token + "' is not a whole number");
        }
        vocabulary.emplace(token, id.get<std::int64_t>());
    }
    return {};
}

bool split_merge(const std::string& line, std::pair<std::string, std::string>& merge)
{
    const auto space = line.find(' ');
    if (space == std::string::npos || space == 0 || line.find(' ', space + 1) != std::string::npos ||
        space + 1 == line.size()) {
        return false;
    }
    merge = {line.substr(0, space), line.substr(space + 1)};
    return true;
}

base::Result<void> read_tokenizer_json(const fs::path& path, TokenizerFiles& files, json& added_tokens)
{
    const auto reader = ConfigReader::open(path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const json model = reader->json().value("model", json::object());
    if (!model.is_object() || model.value("type", json("BPE")) != "BPE" || !model.contains("vocab") ||
        !model.contains("merges") || !model["merges"].is_array()) {
        return bad(path, "not a byte-pair-encoding tokenizer");
    }
    for (const json& entry : model["merges"]) {
        std::pair<std::string, std::string> merge;
        const bool as_line = entry.is_string() && split_merge(entry.get<std::string>(), merge);
        const bool as_pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string();
        if (!as_line && !as_pair) {
            return bad(path, "a merge is not a pair of tokens");
        }
        files.merges.push_back(as_line ? merge : entry.get<std::pair<std::string, std::string>>());
    }
    added_tokens = reader->json().value("added_tokens", json::array());
    return read_vocabulary(model["vocab"], path, files.vocabulary);
}

base::Result<void> read_vocab_and_merges(const fs::path& folder, TokenizerFiles& files)
{
    const fs::path vocab_path = folder / "vocab.json";
    const fs::path merges_path = folder / "merges.txt";
    const auto reader = ConfigReader::open(vocab_path);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    std::error_code ignored;
    if (!fs::is_regular_file(merges_path, ignored)) { // to open a pipe would block
        return bad(merges_path, "file is missing; a model folder in diffusers layout has it");
    }
    constexpr std::size_t max_merges_bytes = 64'000'000;
    const auto text = base::read_file(merges_path, max_merges_bytes);
    if (!text) {
        return tl::unexpected(base::Error{base::ExitCode::bad_input, text.error().message});
    }
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        if (line.ends_with('\r')) {
            line.pop_back();
        }
        if (line.empty() || line.starts_with("#version")) {
            continue;
        }
        if (!split_merge(line, files.merges.emplace_back())) {
            return bad(merges_path, "line '" + line.substr(0, 80) + "' is not a pair of tokens");
        }
    }
    return read_vocabulary(reader->json(), vocab_path, files.vocabulary);
}

/// A special token is written as its text, or as an object with flags; nothing for something else.
std::optional<SpecialToken> parse_special(const json& value)
{
    if (value.is_string()) {
        return SpecialToken{value.get<std::string>(), false};
    }
    if (value.is_object() && value.contains("content") && value["content"].is_string()) {
        // An object that does not say is an object of the library, whose special tokens are not normalised.
        return SpecialToken{value["content"].get<std::string>(), value.value("normalized", json(false)) == true};
    }
    return std::nullopt;
}

class SpecialTokens {
public:
    void add(const SpecialToken& token)
    {
        const auto same = [&](const SpecialToken& t) { return t.content == token.content; };
        const auto found = std::find_if(tokens.begin(), tokens.end(), same);
        if (found == tokens.end()) {
            tokens.push_back(token);
        } else {
            *found = token; // the last description of a token wins
        }
    }

    std::vector<SpecialToken> tokens;
};

/// `roles` maps bos_token, eos_token, unk_token, pad_token to their descriptions; `listed` are tokens described once for
/// all roles, which wins.
void collect_special_tokens(const json& roles, const json& listed, TokenizerFiles& files)
{
    SpecialTokens special;
    const std::pair<const char*, std::string*> names[] = {
        {"bos_token", &files.bos}, {"eos_token", &files.eos}, {"unk_token", &files.unk}, {"pad_token", &files.pad}};
    for (const auto& [role, content] : names) {
        const auto token = roles.contains(role) ? parse_special(roles[role]) : SpecialToken{*content, false};
        if (token) {
            *content = token->content;
            special.add(*token);
        }
    }
    for (const json& entry : listed) {
        if (const auto token = parse_special(entry)) {
            special.add(*token);
        }
    }
    files.special_tokens = std::move(special.tokens);
}

} // namespace

base::Result<TokenizerFiles> read_tokenizer_files(const fs::path& folder)
{
    auto config = ConfigReader::open(folder / "tokenizer_config.json");
    if (!config) {
        return tl::unexpected(config.error());
    }
    config->choice("tokenizer_class", "CLIPTokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"});
    TokenizerFiles files;
    files.model_max_length = config->integer("model_max_length", 0, 0, longest_prompt);
    if (files.model_max_length < 3) {
        config->problem("'model_max_length' is missing, or leaves no room for a word");
    }
    if (auto fine = config->finish_tolerantly(); !fine) {
        return tl::unexpected(fine.error());
    }
    json roles = config->json();
    json listed = config->json().value("added_tokens_decoder", json::object());
    json in_tokenizer_json = json::array();
    const bool one_file = fs::exists(folder / "tokenizer.json");
    const auto read = one_file ? read_tokenizer_json(folder / "tokenizer.json", files, in_tokenizer_json)
                               : read_vocab_and_merges(folder, files);
    if (!read) {
        return tl::unexpected(read.error());
    }
    // Older folders describe the special tokens in a file of their own; newer ones list them in the config.
    if (listed.empty()) {
        listed = in_tokenizer_json;
        if (fs::exists(folder / "special_tokens_map.json")) {
            const auto map = ConfigReader::open(folder / "special_tokens_map.json");
            if (!map) {
                return tl::unexpected(map.error());
            }
            roles.update(map->json());
        }
    }
    collect_special_tokens(roles, listed, files);
    return files;
}

} // namespace sdfleet::pipeline
