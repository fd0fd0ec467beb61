// SPDX-License-Identifier: Apache-2.0
#include "sdctl/model_choice.hpp"

#include <algorithm>

namespace sdfleet::sdctl {

namespace {

ModelChoice choice_of(const proto::ModelReport& model)
{
    return {model.name, model.fingerprints.size() == 1 ? model.fingerprints.front() : ""};
}

} // namespace

base::Result<ModelChoice> choose_model(const std::string& wanted, const proto::ModelList& fleet)
{
    const auto& models = fleet.models;
    if (!wanted.empty()) {
        const auto found = std::ranges::find(models, wanted, &proto::ModelReport::name);
        return found == models.end() ? ModelChoice{wanted, ""} : choice_of(*found);
    }
    if (models.empty()) {
        return base::fail(base::ExitCode::failed,
                          "the fleet serves no model; start an agent with --model NAME=DIR, or look at 'sdctl nodes'");
    }
    if (models.size() > 1) {
        std::string names;
        for (const auto& model : models) {
            names += (names.empty() ? "" : ", ") + model.name;
        }
        return base::fail(base::ExitCode::usage, "the fleet serves several models; choose with --model: " + names);
    }
    return choice_of(models.front());
}

} // namespace sdfleet::sdctl
