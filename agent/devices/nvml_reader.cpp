// SPDX-License-Identifier: Apache-2.0
#include "agent/devices/nvml_reader.hpp"

#include "agent/devices/nvml_functions.hpp"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include <dlfcn.h>

namespace sdfleet::agent::devices {

namespace {

constexpr unsigned max_gpus = 256;
constexpr unsigned max_instances = 64; // of one GPU

struct CloseLibrary {
    void operator()(void* library) const { ::dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

template <class Function>
void find(const Library& library, const char* name, Function& function)
{
    function = reinterpret_cast<Function>(::dlsym(library.get(), name));
}

nvml::Functions functions_of(const Library& library)
{
    nvml::Functions functions;
    find(library, "nvmlInit_v2", functions.init);
    find(library, "nvmlShutdown", functions.shutdown);
    find(library, "nvmlErrorString", functions.error_string);
    find(library, "nvmlDeviceGetCount_v2", functions.get_count);
    find(library, "nvmlDeviceGetHandleByIndex_v2", functions.get_handle_by_index);
    find(library, "nvmlDeviceGetUUID", functions.get_uuid);
    find(library, "nvmlDeviceGetName", functions.get_name);
    find(library, "nvmlDeviceGetMemoryInfo", functions.get_memory_info);
    find(library, "nvmlDeviceGetComputeMode", functions.get_compute_mode);
    find(library, "nvmlDeviceGetMigMode", functions.get_mig_mode);
    find(library, "nvmlDeviceGetMaxMigDeviceCount", functions.get_max_mig_device_count);
    find(library, "nvmlDeviceGetMigDeviceHandleByIndex", functions.get_mig_device_handle_by_index);
    find(library, "nvmlDeviceGetRemappedRows", functions.get_remapped_rows);
    find(library, "nvmlDeviceGetTotalEccErrors", functions.get_total_ecc_errors);
    return functions;
}

bool has_all_that_is_needed(const nvml::Functions& functions)
{
    return functions.init != nullptr && functions.shutdown != nullptr && functions.error_string != nullptr &&
           functions.get_count != nullptr && functions.get_handle_by_index != nullptr && functions.get_uuid != nullptr;
}

/// Between nvmlInit and nvmlShutdown.
class Session {
public:
    explicit Session(const nvml::Functions& functions) : functions_(functions), began_(functions.init()) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session()
    {
        if (began_ == nvml::success) {
            functions_.shutdown();
        }
    }

    GpuInventory read() const
    {
        if (began_ != nvml::success) {
            return {{}, "the NVIDIA driver does not answer: " + words(began_), true};
        }
        unsigned count = 0;
        if (const auto counted = functions_.get_count(&count); counted != nvml::success) {
            return {{}, "the NVIDIA driver does not say which GPUs there are: " + words(counted), true};
        }
        GpuInventory inventory{{}, count == 0 ? "the NVIDIA driver has no GPU" : "", true};
        for (unsigned index = 0; index < count && index < max_gpus; ++index) {
            inventory.gpus.push_back(read_gpu(index));
        }
        return inventory;
    }

private:
    /// Whether the driver has the function and it succeeded.
    template <class Function, class... Arguments>
    static bool succeeds(Function function, Arguments... arguments)
    {
        return function != nullptr && function(arguments...) == nvml::success;
    }

    std::string words(nvml::Return code) const
    {
        const char* text = functions_.error_string(code);
        return text == nullptr ? "error " + std::to_string(code) : text;
    }

    static std::string text_of(nvml::GetText get_text, nvml::Device device)
    {
        std::array<char, nvml::text_bytes> text{};
        return succeeds(get_text, device, text.data(), nvml::text_bytes - 1) ? text.data() : "";
    }

    std::uint64_t memory_of(nvml::Device device) const
    {
        nvml::Memory memory{};
        return succeeds(functions_.get_memory_info, device, &memory) ? memory.total : 0;
    }

    ComputeMode compute_mode_of(nvml::Device device) const
    {
        int mode = 0;
        succeeds(functions_.get_compute_mode, device, &mode);
        switch (mode) {
        case nvml::compute_mode_prohibited:
            return ComputeMode::prohibited;
        case nvml::compute_mode_exclusive_thread:
        case nvml::compute_mode_exclusive_process:
            return ComputeMode::exclusive;
        default:
            return ComputeMode::shared;
        }
    }

    std::vector<MigInstance> instances_of(nvml::Device device) const
    {
        unsigned places = 0;
        succeeds(functions_.get_max_mig_device_count, device, &places);
        std::vector<MigInstance> instances;
        for (unsigned place = 0; place < places && place < max_instances; ++place) {
            nvml::Device instance = nullptr; // a place may be empty
            if (!succeeds(functions_.get_mig_device_handle_by_index, device, place, &instance)) {
                continue;
            }
            if (auto uuid = text_of(functions_.get_uuid, instance); !uuid.empty()) {
                instances.push_back({std::move(uuid), text_of(functions_.get_name, instance), memory_of(instance)});
            }
        }
        return instances;
    }

    Gpu read_gpu(unsigned index) const
    {
        Gpu gpu;
        nvml::Device device = nullptr;
        if (const auto got = functions_.get_handle_by_index(index, &device); got != nvml::success) {
            gpu.error = words(got);
            return gpu;
        }
        gpu.uuid = text_of(functions_.get_uuid, device);
        gpu.name = text_of(functions_.get_name, device);
        gpu.memory_bytes = memory_of(device);
        gpu.compute_mode = compute_mode_of(device);
        unsigned mode = 0;
        unsigned mode_after_reset = 0;
        gpu.is_in_mig_mode =
            succeeds(functions_.get_mig_mode, device, &mode, &mode_after_reset) && mode == nvml::mig_enabled;
        if (gpu.is_in_mig_mode) {
            gpu.instances = instances_of(device);
        }
        read_memory_health(device, gpu);
        return gpu;
    }

    void read_memory_health(nvml::Device device, Gpu& gpu) const
    {
        unsigned corrected = 0;
        unsigned uncorrected = 0;
        unsigned is_pending = 0;
        unsigned has_failed = 0;
        if (succeeds(functions_.get_remapped_rows, device, &corrected, &uncorrected, &is_pending, &has_failed)) {
            gpu.waits_for_remap = is_pending != 0;
            gpu.has_failed_to_remap = has_failed != 0;
        }
        unsigned long long errors = 0;
        if (succeeds(functions_.get_total_ecc_errors, device, nvml::memory_error_uncorrected, nvml::since_driver_load,
                     &errors)) {
            gpu.uncorrected_errors = errors;
        }
    }

    const nvml::Functions& functions_;
    nvml::Return began_;
};

} // namespace

GpuInventory read_gpus(const std::string& library)
{
    const Library opened(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!opened) {
        std::error_code ignored;
        const bool has_driver = std::filesystem::exists("/dev/nvidiactl", ignored);
        return {{},
                has_driver ? "there is an NVIDIA driver but no " + library +
                                 " to ask for its GPUs (a container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility)"
                           : "there is no NVIDIA driver here (no " + library + ")",
                has_driver};
    }
    const auto functions = functions_of(opened);
    if (!has_all_that_is_needed(functions)) {
        return {{}, library + " is too old, or not NVIDIA's", true};
    }
    return Session(functions).read();
}

} // namespace sdfleet::agent::devices
