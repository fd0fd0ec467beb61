// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config_reader.hpp"

#include "base/atomic_file.hpp"
#include "pipeline/bounded_json.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

namespace sdfleet::pipeline {

namespace {

constexpr std::size_t max_config_bytes = 64'000'000; // a tokenizer.json of CLIP's size is about 4 MB

std::string show(const nlohmann::json& value)
{
    std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    constexpr std::size_t longest = 80;
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

/// Python writes infinite numbers as bare words, which JSON does not know; in quotes they are texts.
std::string with_quoted_infinities(std::string_view text)
{
    std::string quoted;
    bool inside = false; // a text
    for (std::size_t i = 0; i < text.size();) {
        std::size_t length = 1;
        bool word = false;
        if (inside && text[i] == '\\') {
            length = 2;
        } else if (text[i] == '"') {
            inside = !inside;
        } else if (!inside) {
            for (const std::string_view name : {"-Infinity", "Infinity", "NaN"}) {
                if (text.substr(i).starts_with(name)) {
                    length = name.size();
                    word = true;
                    break;
                }
            }
        }
        quoted += (word ? "\"" : "") + std::string(text.substr(i, length)) + (word ? "\"" : "");
        i += length;
    }
    return quoted;
}

} // namespace

ConfigReader::ConfigReader(const nlohmann::json& object, std::string where)
    : json_(std::make_unique<nlohmann::json>(object)), where_(std::move(where))
{
}

ConfigReader::ConfigReader(ConfigReader&&) noexcept = default;
ConfigReader& ConfigReader::operator=(ConfigReader&&) noexcept = default;
ConfigReader::~ConfigReader() = default;

base::Result<ConfigReader> ConfigReader::open(const std::filesystem::path& path)
{
    std::error_code ignored; // a loop of links is no file
    if (!std::filesystem::is_regular_file(path, ignored)) {
        return base::fail(base::ExitCode::bad_input,
                          path.string() + ": file is missing; a model folder in diffusers layout has it");
    }
    const auto text = base::read_file(path, max_config_bytes);
    if (!text) {
        return base::fail(base::ExitCode::bad_input, text.error().message);
    }
    if (nests_too_deep(*text)) {
        return base::fail(base::ExitCode::bad_input, path.string() + ": its lists and objects nest too deep");
    }
    auto parsed = nlohmann::json::parse(*text, nullptr, false);
    if (parsed.is_discarded()) {
        parsed = nlohmann::json::parse(with_quoted_infinities(*text), nullptr, false);
    }
    if (!parsed.is_object()) {
        return base::fail(base::ExitCode::bad_input, path.string() + ": not a JSON object");
    }
    return ConfigReader(parsed, path.string());
}

const nlohmann::json* ConfigReader::find(const std::string& key)
{
    seen_.insert(key);
    const auto found = json_->find(key);
    return found == json_->end() || found->is_null() ? nullptr : &*found;
}

bool ConfigReader::has(const std::string& key) const
{
    const auto found = json_->find(key);
    return found != json_->end() && !found->is_null();
}

void ConfigReader::problem(const std::string& what)
{
    if (problem_.empty()) {
        problem_ = what;
    }
}

std::int64_t ConfigReader::integer(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max)
{
    const auto list = integers(key, {fallback}, min, max);
    if (list.size() != 1) {
        problem("'" + key + "' is a list, which this version does not support");
    }
    return list.empty() ? fallback : list.front();
}

std::optional<double> ConfigReader::optional_number(const std::string& key)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_number() || !std::isfinite(value->get<double>())) {
        problem("'" + key + "' is " + show(*value) + ", not a number");
        return std::nullopt;
    }
    return value->get<double>();
}

double ConfigReader::number(const std::string& key, double fallback)
{
    return optional_number(key).value_or(fallback);
}

bool ConfigReader::boolean(const std::string& key, bool fallback)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_boolean()) {
        problem("'" + key + "' is " + show(*value) + ", not true or false");
        return fallback;
    }
    return value->get<bool>();
}

std::string ConfigReader::text(const std::string& key, const std::string& fallback)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_string()) {
        problem("'" + key + "' is " + show(*value) + ", not a text");
        return fallback;
    }
    return value->get<std::string>();
}

std::vector<std::int64_t> ConfigReader::integers(const std::string& key, std::vector<std::int64_t> fallback,
                                                 std::int64_t min, std::int64_t max)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    const auto fits = [&](const nlohmann::json& v) {
        return v.is_number_integer() && v.get<std::int64_t>() >= min && v.get<std::int64_t>() <= max;
    };
    if (fits(*value)) {
        return {value->get<std::int64_t>()};
    }
    if (!value->is_array() || value->empty() || value->size() > 64 ||
        !std::all_of(value->begin(), value->end(), fits)) {
        problem("'" + key + "' is " + show(*value) + ", not whole numbers from " + std::to_string(min) + " to " +
                std::to_string(max));
        return fallback;
    }
    return value->get<std::vector<std::int64_t>>();
}

std::vector<std::string> ConfigReader::texts(const std::string& key, std::vector<std::string> fallback)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return fallback;
    }
    const auto is_text = [](const nlohmann::json& v) { return v.is_string(); };
    if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_text)) {
        problem("'" + key + "' is " + show(*value) + ", not a list of texts");
        return fallback;
    }
    return value->get<std::vector<std::string>>();
}

std::vector<double> ConfigReader::numbers(const std::string& key)
{
    const auto* value = find(key);
    if (value == nullptr) {
        return {};
    }
    const auto is_number = [](const nlohmann::json& v) { return v.is_number(); };
    if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_number)) {
        problem("'" + key + "' is " + show(*value) + ", not a list of numbers");
        return {};
    }
    return value->get<std::vector<double>>();
}

std::string ConfigReader::choice(const std::string& key, const std::string& fallback,
                                 std::initializer_list<std::string> known)
{
    std::string chosen = text(key, fallback);
    if (std::find(known.begin(), known.end(), chosen) == known.end()) {
        std::string list;
        for (const std::string& name : known) {
            list += (list.empty() ? "" : ", ") + name;
        }
        problem("'" + key + "' is '" + chosen + "', which this version does not know; it knows: " + list);
    }
    return chosen;
}

void ConfigReader::only(const std::string& key, std::initializer_list<std::string_view> accepted)
{
    const auto* value = find(key);
    if (value == nullptr || *value == false) {
        return;
    }
    const auto equals = [&](std::string_view text) { return nlohmann::json::parse(text) == *value; };
    if (std::none_of(accepted.begin(), accepted.end(), equals)) {
        problem("'" + key + "' is " + show(*value) + ", which this version does not support");
    }
}

base::Result<void> ConfigReader::finish_tolerantly() const
{
    if (!problem_.empty()) {
        return base::fail(base::ExitCode::bad_input, where_ + ": " + problem_);
    }
    return {};
}

base::Result<void> ConfigReader::finish() const
{
    if (auto first = finish_tolerantly(); !first) {
        return first;
    }
    for (const auto& [key, value] : json_->items()) {
        if (!value.is_null() && !key.starts_with('_') && !seen_.contains(key)) {
            return base::fail(base::ExitCode::bad_input,
                              where_ + ": unknown key '" + key + "' with value " + show(value) +
                                  "; this version cannot tell what it changes (remove it, or set it to null)");
        }
    }
    return {};
}

} // namespace sdfleet::pipeline
