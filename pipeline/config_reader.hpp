// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace sdfleet::pipeline {

/// Reads one JSON config of a model folder, key by key. Like Weights it remembers the first problem and goes on, so
/// that a config is read without a branch per key; the values may be used only after finish() said that all went well.
/// A key that is absent or null gives the fallback. Keys that begin with "_" are notes of the writer and never matter.
class ConfigReader {
public:
    static base::Result<ConfigReader> open(const std::filesystem::path& path);
    ConfigReader(const nlohmann::json& object, std::string where);
    ConfigReader(ConfigReader&&) noexcept;
    ConfigReader& operator=(ConfigReader&&) noexcept;
    ~ConfigReader();

    std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max);
    double number(const std::string& key, double fallback);
    std::optional<double> optional_number(const std::string& key);
    bool boolean(const std::string& key, bool fallback);
    std::string text(const std::string& key, const std::string& fallback);

    /// A list of integers in [min, max]; a single integer stands for a list of one.
    std::vector<std::int64_t> integers(const std::string& key, std::vector<std::int64_t> fallback, std::int64_t min,
                                       std::int64_t max);
    std::vector<std::string> texts(const std::string& key, std::vector<std::string> fallback);
    std::vector<double> numbers(const std::string& key);

    /// One of `known`, or a problem that lists them.
    std::string choice(const std::string& key, const std::string& fallback, std::initializer_list<std::string> known);

    /// The key must be absent, null, false or exactly one of `accepted` (JSON text): what we do not implement.
    void only(const std::string& key, std::initializer_list<std::string_view> accepted = {});

    void ignore(std::initializer_list<std::string> keys) { seen_.insert(keys.begin(), keys.end()); }

    /// True when the file itself says something other than null about the key.
    bool has(const std::string& key) const;

    void problem(const std::string& what);

    /// The first problem, or a key that nobody asked for and that is not null: silently ignoring it could give other
    /// pictures. All errors are ExitCode::bad_input and name the file and the key.
    base::Result<void> finish() const;

    /// Only the first problem: for files that carry many keys of no concern to us.
    base::Result<void> finish_tolerantly() const;

    const nlohmann::json& json() const { return *json_; }
    const std::string& where() const { return where_; }

private:
    const nlohmann::json* find(const std::string& key);

    std::unique_ptr<nlohmann::json> json_;
    std::string where_;
    std::set<std::string> seen_;
    std::string problem_;
};

} // namespace sdfleet::pipeline
