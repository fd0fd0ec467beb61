// SPDX-License-Identifier: Apache-2.0
// A double of NVIDIA's management library (libnvidia-ml.so.1): the GPUs that the environment variable SDFLEET_NVML_DOUBLE
// describes, in JSON, all of it optional:
//   {"init": 9, "count_error": 999,
//    "gpus": [{"uuid": "GPU-a", "name": "NVIDIA H100", "memory_bytes": 80, "compute_mode": 3, "error": 15,
//              "mig": [{"uuid": "MIG-a", "name": "1g", "memory_bytes": 5}, null],
//              "remap_pending": true, "remap_failed": true, "ecc_uncorrected": 2}]}
// Numbers of errors are NVML's. What a GPU does not say is "not supported". A null among the instances is an empty place.
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;

constexpr int success = 0;
constexpr int uninitialized = 1;
constexpr int invalid_argument = 2;
constexpr int not_supported = 3;
constexpr int not_found = 6;
constexpr int insufficient_size = 7;

bool is_initialized = false;

json& machine()
{
    static json described;
    return described;
}

const json& gpus()
{
    static const json none = json::array();
    return machine().contains("gpus") ? machine().at("gpus") : none;
}

const json* object_of(const void* device)
{
    return is_initialized ? static_cast<const json*>(device) : nullptr;
}

template <class Number>
int get_number(const void* device, const char* name, Number* number)
{
    const auto* gpu = object_of(device);
    if (gpu == nullptr) {
        return uninitialized;
    }
    if (!gpu->contains(name)) {
        return not_supported;
    }
    *number = gpu->at(name).get<Number>();
    return success;
}

int get_text(const void* device, const char* name, char* text, unsigned length)
{
    const auto* gpu = object_of(device);
    if (gpu == nullptr) {
        return uninitialized;
    }
    if (!gpu->contains(name)) {
        return not_supported;
    }
    const auto value = gpu->at(name).get<std::string>();
    if (value.size() >= length) {
        return insufficient_size;
    }
    std::memcpy(text, value.c_str(), value.size() + 1);
    return success;
}

} // namespace

extern "C" {

int nvmlInit_v2()
{
    const char* text = std::getenv("SDFLEET_NVML_DOUBLE");
    machine() = json::parse(text == nullptr ? "{}" : text);
    const int code = machine().value("init", success);
    is_initialized = code == success;
    return code;
}

int nvmlShutdown()
{
    const bool was_initialized = is_initialized;
    is_initialized = false;
    return was_initialized ? success : uninitialized;
}

const char* nvmlErrorString(int code)
{
    static const std::map<int, const char*> words{
        {9, "Driver Not Loaded"}, {15, "GPU is lost"}, {18, "Driver/library version mismatch"}};
    const auto found = words.find(code);
    return found == words.end() ? nullptr : found->second;
}

int nvmlDeviceGetCount_v2(unsigned* count)
{
    if (!is_initialized) {
        return uninitialized;
    }
    *count = static_cast<unsigned>(gpus().size());
    return machine().value("count_error", success);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void** device)
{
    if (!is_initialized) {
        return uninitialized;
    }
    if (index >= gpus().size()) {
        return invalid_argument;
    }
    *device = &gpus().at(index);
    return gpus().at(index).value("error", success);
}

int nvmlDeviceGetUUID(const void* device, char* uuid, unsigned length)
{
    return get_text(device, "uuid", uuid, length);
}

int nvmlDeviceGetName(const void* device, char* name, unsigned length)
{
    return get_text(device, "name", name, length);
}

struct Memory {
    unsigned long long total, free, used;
};

int nvmlDeviceGetMemoryInfo(const void* device, Memory* memory)
{
    return get_number(device, "memory_bytes", &memory->total);
}

int nvmlDeviceGetComputeMode(const void* device, int* mode)
{
    return get_number(device, "compute_mode", mode);
}

int nvmlDeviceGetMigMode(const void* device, unsigned* current, unsigned* pending)
{
    const auto* gpu = object_of(device);
    if (gpu == nullptr || !gpu->contains("mig")) {
        return not_supported;
    }
    *current = *pending = 1;
    return success;
}

int nvmlDeviceGetMaxMigDeviceCount(const void* device, unsigned* count)
{
    const auto* gpu = object_of(device);
    *count = gpu == nullptr || !gpu->contains("mig") ? 0 : static_cast<unsigned>(gpu->at("mig").size());
    return success;
}

int nvmlDeviceGetMigDeviceHandleByIndex(const void* device, unsigned index, const void** instance)
{
    const auto* gpu = object_of(device);
    if (gpu == nullptr || index >= gpu->at("mig").size() || gpu->at("mig").at(index).is_null()) {
        return not_found;
    }
    *instance = &gpu->at("mig").at(index);
    return success;
}

int nvmlDeviceGetRemappedRows(const void* device, unsigned* corrected, unsigned* uncorrected, unsigned* is_pending,
                              unsigned* has_failed)
{
    const auto* gpu = object_of(device);
    if (gpu == nullptr || !(gpu->contains("remap_pending") || gpu->contains("remap_failed"))) {
        return not_supported;
    }
    *corrected = 0;
    *uncorrected = 1;
    *is_pending = gpu->value("remap_pending", false) ? 1 : 0;
    *has_failed = gpu->value("remap_failed", false) ? 1 : 0;
    return success;
}

int nvmlDeviceGetTotalEccErrors(const void* device, int error_type, int counter_type, unsigned long long* count)
{
    const bool is_what_is_counted = error_type == 1 && counter_type == 0;
    return is_what_is_counted ? get_number(device, "ecc_uncorrected", count) : not_supported;
}

} // extern "C"
