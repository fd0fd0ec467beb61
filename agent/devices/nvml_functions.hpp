// SPDX-License-Identifier: Apache-2.0
// Internal to agent/devices: the few functions of NVIDIA's management library that are used here, declared as nvml.h 12
// declares them. The library comes with the driver, so there is nothing to link; its interface only grows.
#pragma once

namespace sdfleet::agent::devices::nvml {

struct DeviceOpaque;
using Device = DeviceOpaque*; // nvmlDevice_t

using Return = int; // nvmlReturn_t
constexpr Return success = 0;

struct Memory { // nvmlMemory_t
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};

constexpr int compute_mode_prohibited = 2;        // NVML_COMPUTEMODE_PROHIBITED
constexpr int compute_mode_exclusive_thread = 1;  // NVML_COMPUTEMODE_EXCLUSIVE_THREAD, of old drivers
constexpr int compute_mode_exclusive_process = 3; // NVML_COMPUTEMODE_EXCLUSIVE_PROCESS
constexpr unsigned mig_enabled = 1;               // NVML_DEVICE_MIG_ENABLE
constexpr int memory_error_uncorrected = 1;       // NVML_MEMORY_ERROR_TYPE_UNCORRECTED
constexpr int since_driver_load = 0;              // NVML_VOLATILE_ECC
constexpr unsigned text_bytes = 96;               // NVML_DEVICE_UUID_V2_BUFFER_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE

extern "C" {
using Init = Return (*)();
using Shutdown = Return (*)();
using ErrorString = const char* (*)(Return);
using GetCount = Return (*)(unsigned* count);
using GetHandleByIndex = Return (*)(unsigned index, Device*);
using GetText = Return (*)(Device, char* text, unsigned length);
using GetMemoryInfo = Return (*)(Device, Memory*);
using GetComputeMode = Return (*)(Device, int* mode);
using GetMigMode = Return (*)(Device, unsigned* current, unsigned* pending);
using GetMaxMigDeviceCount = Return (*)(Device, unsigned* count);
using GetMigDeviceHandleByIndex = Return (*)(Device, unsigned index, Device*);
using GetRemappedRows = Return (*)(Device, unsigned* corrected, unsigned* uncorrected, unsigned* is_pending,
                                   unsigned* has_failed);
using GetTotalEccErrors = Return (*)(Device, int error_type, int counter_type, unsigned long long* count);
}

/// Null where the driver is too old to have it.
struct Functions {
    Init init = nullptr;
    Shutdown shutdown = nullptr;
    ErrorString error_string = nullptr;
    GetCount get_count = nullptr;
    GetHandleByIndex get_handle_by_index = nullptr;
    GetText get_uuid = nullptr;
    GetText get_name = nullptr;
    GetMemoryInfo get_memory_info = nullptr;
    GetComputeMode get_compute_mode = nullptr;
    GetMigMode get_mig_mode = nullptr;
    GetMaxMigDeviceCount get_max_mig_device_count = nullptr;
    GetMigDeviceHandleByIndex get_mig_device_handle_by_index = nullptr;
    GetRemappedRows get_remapped_rows = nullptr;
    GetTotalEccErrors get_total_ecc_errors = nullptr;
};

} // namespace sdfleet::agent::devices::nvml
