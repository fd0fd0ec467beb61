// SPDX-License-Identifier: Apache-2.0
#include "sdctl/resume_plan.hpp"

namespace sdfleet::sdctl {

bool is_same_picture(const ManifestEntry& entry, const proto::JobSpec& wanted, std::uint32_t index,
                     const std::string& model_fingerprint)
{
    const auto& item = wanted.items[index];
    // A fingerprint that one side does not know proves nothing.
    const bool is_same_model =
        entry.model == wanted.model &&
        (entry.model_fingerprint.empty() || model_fingerprint.empty() || entry.model_fingerprint == model_fingerprint);
    return is_same_model && entry.prompt == item.prompt && entry.seed == item.seed &&
           entry.parameters == wanted.parameters;
}

ResumePlan plan_resume(const proto::JobSpec& wanted, const std::string& model_fingerprint,
                       const Manifest::Entries& there, const HashOfFile& hash_of_file)
{
    ResumePlan plan;
    for (std::uint32_t index = 0; index < wanted.items.size(); ++index) {
        const auto found = there.find(index);
        if (found == there.end() || !found->second.error.empty()) {
            plan.missing.push_back(index);
            continue;
        }
        const auto& entry = found->second;
        const auto hash = hash_of_file(entry.file);
        if (hash == entry.sha256 && is_same_picture(entry, wanted, index, model_fingerprint)) {
            plan.kept.emplace(index, entry);
        } else {
            plan.missing.push_back(index);
            plan.replaced += hash ? 1 : 0;
        }
    }
    return plan;
}

proto::JobSpec select_items(const proto::JobSpec& spec, const std::vector<std::uint32_t>& indices)
{
    proto::JobSpec selected{spec.model, spec.split, spec.parameters, {}};
    selected.items.reserve(indices.size());
    for (const auto index : indices) {
        selected.items.push_back(spec.items[index]);
    }
    return selected;
}

} // namespace sdfleet::sdctl
