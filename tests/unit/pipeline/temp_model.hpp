// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <nlohmann/json.hpp>
#include <stdlib.h>

namespace sdfleet::test {

/// A copy of a model folder that a test may damage, models/tiny-shapes unless it says otherwise; removed at the end.
class TempModel {
public:
    explicit TempModel(const std::filesystem::path& source = SDFLEET_SOURCE_DIR "/models/tiny-shapes")
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "sdfleet-model-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        for (const char* part : {"model_index.json", "scheduler", "text_encoder", "text_encoder_2", "tokenizer",
                                 "tokenizer_2", "unet", "vae"}) {
            if (std::filesystem::exists(source / part)) {
                std::filesystem::copy(source / part, root_ / part, std::filesystem::copy_options::recursive);
            }
        }
    }
    TempModel(const TempModel&) = delete;
    TempModel& operator=(const TempModel&) = delete;
    ~TempModel() { std::filesystem::remove_all(root_); }

    const std::filesystem::path& path() const { return root_; }

    std::string read(const std::string& file) const
    {
        std::ostringstream text;
        text << std::ifstream(root_ / file, std::ios::binary).rdbuf();
        return text.str();
    }
    void write(const std::string& file, const std::string& text) const
    {
        std::ofstream(root_ / file, std::ios::binary) << text;
    }
    void remove(const std::string& file) const { std::filesystem::remove_all(root_ / file); }

    /// Lets `change` edit a JSON file.
    template <class Change>
    void edit(const std::string& file, Change change) const
    {
        auto document = nlohmann::json::parse(read(file));
        change(document);
        write(file, document.dump());
    }

private:
    std::filesystem::path root_;
};

} // namespace sdfleet::test
