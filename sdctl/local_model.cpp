// SPDX-License-Identifier: Apache-2.0
#include "sdctl/local_model.hpp"

#include "base/model_path.hpp"
#include "proto/ids.hpp"

#include <cstdlib>
#include <optional>
#include <sstream>
#include <system_error>

namespace sdfleet::sdctl {

namespace {

constexpr const char* default_model = "tiny-shapes";

bool is_folder(const std::filesystem::path& path)
{
    std::error_code error;
    return std::filesystem::is_directory(path, error);
}

tl::unexpected<base::Error> bad_model(std::string message)
{
    return base::fail(base::ExitCode::bad_input, std::move(message));
}

/// The folder's own name, also for "models/x/" and ".".
std::string name_of(const std::filesystem::path& folder)
{
    std::error_code error;
    const auto whole = std::filesystem::weakly_canonical(folder, error);
    return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

base::Result<LocalModel> check(LocalModel model)
{
    std::error_code error;
    if (!std::filesystem::is_regular_file(model.folder / "model_index.json", error)) {
        return bad_model(model.folder.string() + " is no model folder: it has no model_index.json; it should have the "
                                                 "layout that diffusers' save_pretrained writes");
    }
    if (!proto::is_valid_name(model.name)) {
        return bad_model("the model folder's name '" + model.name + "' is no model name (letters, digits, . _ -)");
    }
    return model;
}

} // namespace

base::Result<LocalModel> find_local_model(const std::string& wanted, const std::vector<std::filesystem::path>& places)
{
    if (is_folder(wanted)) {
        return check({name_of(wanted), wanted});
    }
    if (wanted.find('/') != std::string::npos) {
        const auto folder = base::find_model_folder(wanted);
        if (!folder) {
            return tl::unexpected(folder.error());
        }
        return check({base::repository_name(wanted), *folder});
    }
    const std::string name = wanted.empty() ? default_model : wanted;
    std::string searched;
    for (const auto& place : places) {
        if (is_folder(place / name)) {
            return check({name, place / name});
        }
        searched += (searched.empty() ? "" : ", ") + place.string();
    }
    return bad_model("there is no model " + name + " in " + searched +
                     "; give its folder with --model DIR, or set SDFLEET_MODEL_PATH");
}

std::vector<std::filesystem::path> model_places(const std::filesystem::path& program_folder)
{
    std::vector<std::filesystem::path> places;
    if (const char* path = std::getenv("SDFLEET_MODEL_PATH")) {
        std::istringstream stream(path);
        for (std::string place; std::getline(stream, place, ':');) {
            if (!place.empty()) {
                places.emplace_back(place);
            }
        }
    }
    for (const char* beside : {"../share/sdfleet/models", "../../../models"}) {
        places.push_back((program_folder / beside).lexically_normal());
    }
    return places;
}

} // namespace sdfleet::sdctl
