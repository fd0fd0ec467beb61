// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/device_choice.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace sdfleet::agent::devices {

namespace {

std::string device_name(std::size_t index)
{
    return "cuda:" + std::to_string(index);
}

/// "cuda:0 (NVIDIA H100, GPU-...)"
std::string described(std::size_t index, const ComputeDevice& device)
{
    std::string what = device.name;
    what += what.empty() || device.uuid.empty() ? "" : ", ";
    what += device.uuid;
    return device_name(index) + (what.empty() ? "" : " (" + what + ")");
}

/// Builds up a DeviceChoice, term by term.
class Chooser {
public:
    Chooser(const DeviceRequest& request, const GpuInventory& found, std::optional<std::string_view> names)
        : request_(request), found_(found), names_(names), choice_{{}, visible_devices(found.gpus, names), {}}
    {
    }

    base::Result<DeviceChoice> choose()
    {
        if (request_.is_automatic) {
            choose_automatically();
            return std::move(choice_);
        }
        for (const auto& term : request_.terms) {
            if (auto added = std::visit([this](const auto& one) { return add(one); }, term); !added) {
                return tl::unexpected(added.error());
            }
        }
        return std::move(choice_);
    }

private:
    void choose_automatically()
    {
        for (const auto index : healthy()) {
            if (choice_.slots.size() < max_actors) {
                choice_.slots.push_back({device_name(index), choice_.visible[index].uuid});
            }
        }
        note_complaints();
        if (!choice_.slots.empty()) {
            return;
        }
        if (found_.has_driver) {
            choice_.notes.push_back(why_none() + ": one actor draws on the processor");
        }
        choice_.slots.push_back({"cpu", ""});
    }

    base::Result<void> add(const Processor& term) { return add_slots({"cpu", ""}, term.actors); }

    base::Result<void> add(const EveryGpu& term)
    {
        if (term.actors_each > max_actors) {
            return too_many();
        }
        const auto before = choice_.slots.size();
        for (const auto index : healthy()) {
            if (auto added = add_gpu(index, term.actors_each); !added) {
                return added;
            }
        }
        note_complaints();
        return choice_.slots.size() > before ? base::Result<void>() : missing(why_none());
    }

    base::Result<void> add(const OneGpu& term)
    {
        if (term.index >= choice_.visible.size()) {
            const auto count = choice_.visible.size();
            return missing(count == 0   ? why_none()
                           : count == 1 ? "there is one GPU here, cuda:0"
                                        : "there are " + std::to_string(count) + " GPUs here, cuda:0 to " +
                                              device_name(count - 1));
        }
        const auto& [health, complaint] = choice_.visible[term.index].diagnosis;
        if (health == Health::useless) {
            return missing(described(term.index, choice_.visible[term.index]) + " " + complaint);
        }
        note_complaint(term.index, "");
        return add_gpu(term.index, term.actors);
    }

    base::Result<void> add_gpu(std::size_t index, std::size_t actors)
    {
        const auto& gpu = choice_.visible[index];
        const Slot slot{device_name(index), gpu.uuid};
        const bool is_taken = std::ranges::find(choice_.slots, slot) != choice_.slots.end();
        if (gpu.is_exclusive && (actors > 1 || is_taken)) {
            return missing(described(index, gpu) + " takes one process at a time (nvidia-smi -c DEFAULT changes that)");
        }
        return add_slots(slot, actors);
    }

    base::Result<void> add_slots(const Slot& slot, std::size_t actors)
    {
        if (actors > max_actors || choice_.slots.size() + actors > max_actors) {
            return too_many();
        }
        choice_.slots.insert(choice_.slots.end(), actors, slot);
        return {};
    }

    std::vector<std::size_t> healthy() const
    {
        std::vector<std::size_t> indices;
        for (std::size_t index = 0; index < choice_.visible.size(); ++index) {
            if (choice_.visible[index].diagnosis.health == Health::good) {
                indices.push_back(index);
            }
        }
        return indices;
    }

    void note_complaints()
    {
        for (std::size_t index = 0; index < choice_.visible.size(); ++index) {
            const bool is_good = choice_.visible[index].diagnosis.health == Health::good;
            note_complaint(index, is_good ? "" : "; it is left out");
        }
    }

    void note_complaint(std::size_t index, const std::string& consequence)
    {
        const auto& gpu = choice_.visible[index];
        if (gpu.diagnosis.complaint.empty()) {
            return;
        }
        auto note = described(index, gpu) + " " + gpu.diagnosis.complaint + consequence;
        if (std::ranges::find(choice_.notes, note) == choice_.notes.end()) {
            choice_.notes.push_back(std::move(note));
        }
    }

    std::string why_none() const
    {
        if (found_.gpus.empty()) {
            return found_.reason;
        }
        if (!choice_.visible.empty()) {
            return "none of the GPUs here is fit for work";
        }
        return names_ ? "CUDA_VISIBLE_DEVICES='" + std::string(*names_) + "' shows none of the " +
                            std::to_string(found_.gpus.size()) + " GPU(s) here"
                      : "the GPUs here are in MIG mode and have no instances (nvidia-smi mig -cgi ... -C makes some)";
    }

    base::Result<void> missing(const std::string& why) const
    {
        return base::fail(base::ExitCode::failed, "--devices " + request_.text + ": " + why);
    }

    base::Result<void> too_many() const
    {
        return base::fail(base::ExitCode::usage, "--devices " + request_.text + ": more than " +
                                                     std::to_string(max_actors) + " actors on one node");
    }

    const DeviceRequest& request_;
    const GpuInventory& found_;
    std::optional<std::string_view> names_;
    DeviceChoice choice_;
};

} // namespace

base::Result<DeviceChoice> choose_devices(const DeviceRequest& request, const GpuInventory& found,
                                          std::optional<std::string_view> names)
{
    return Chooser(request, found, names).choose();
}

} // namespace sdfleet::agent::devices
