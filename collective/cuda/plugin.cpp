// SPDX-License-Identifier: Apache-2.0
// The table that libsdfleet_cuda.so exports. No exception passes it.
#include "collective/cuda/communicator.hpp"
#include "collective/cuda/device.hpp"
#include "collective/cuda/nccl_environment.hpp"
#include "collective/cuda/nccl_library.hpp"
#include "collective/cuda/nccl_plugin.h"

#include <cstring>
#include <exception>

struct sdfleet_nccl_communicator {
    std::unique_ptr<sdfleet::cuda::Communicator> impl;
};

namespace sdfleet::cuda {

namespace {

sdfleet_nccl_status answer(const Outcome& outcome, sdfleet_nccl_text* why)
{
    if (why != nullptr) {
        copy_line(outcome.why, why->text);
    }
    return outcome.status;
}

template <class Function>
sdfleet_nccl_status guarded(sdfleet_nccl_text* why, const Function& function)
{
    try {
        return answer(function(), why);
    } catch (const std::exception& error) {
        return answer({SDFLEET_NCCL_FAILED, error.what()}, why);
    }
}

Outcome missing_argument()
{
    return {SDFLEET_NCCL_INVALID, "an argument is missing"};
}

Outcome no_library()
{
    return {SDFLEET_NCCL_NO_LIBRARY, nccl_library().error()};
}

sdfleet_nccl_status probe(int32_t device, sdfleet_nccl_facts* facts, sdfleet_nccl_text* why)
{
    return guarded(why, [&]() -> Outcome {
        if (facts == nullptr) {
            return missing_argument();
        }
        *facts = {};
        const auto& nccl = nccl_library();
        if (nccl) {
            facts->nccl_version = nccl->version;
            copy_line(nccl->path, facts->nccl_path);
        }
        // The device first: who has none need not hear of libraries.
        auto found = probe_device(device, *facts);
        return found.is_error() || nccl ? found : no_library();
    });
}

sdfleet_nccl_status configure(const sdfleet_nccl_environment* environment, sdfleet_nccl_text* why)
{
    return guarded(why, [&] { return environment == nullptr ? missing_argument() : configure_nccl(*environment); });
}

sdfleet_nccl_status unique_id(uint8_t id[SDFLEET_NCCL_UNIQUE_ID_BYTES], sdfleet_nccl_text* why)
{
    return guarded(why, [&]() -> Outcome {
        if (id == nullptr) {
            return missing_argument();
        }
        const auto& nccl = nccl_library();
        if (!nccl) {
            return no_library();
        }
        ncclUniqueId made{};
        if (const auto result = nccl->get_unique_id(&made); result != ncclSuccess) {
            return {SDFLEET_NCCL_FAILED, std::string("ncclGetUniqueId: ") + nccl->get_error_string(result) + " (" +
                                             nccl->get_last_error(nullptr) + ")"};
        }
        static_assert(sizeof(made.internal) == SDFLEET_NCCL_UNIQUE_ID_BYTES);
        std::memcpy(id, made.internal, sizeof(made.internal));
        return {};
    });
}

sdfleet_nccl_status create(const sdfleet_nccl_communicator_options* options, sdfleet_nccl_communicator** communicator,
                           sdfleet_nccl_text* why)
{
    return guarded(why, [&]() -> Outcome {
        if (options == nullptr || communicator == nullptr) {
            return missing_argument();
        }
        *communicator = nullptr;
        const auto& nccl = nccl_library();
        if (!nccl) {
            return no_library();
        }
        auto handle = std::make_unique<sdfleet_nccl_communicator>();
        auto outcome = Communicator::create(*nccl, *options, handle->impl);
        if (!outcome.is_error()) {
            *communicator = handle.release();
        }
        return outcome;
    });
}

sdfleet_nccl_status start(sdfleet_nccl_communicator* communicator, const sdfleet_nccl_operation* operation,
                          sdfleet_nccl_text* why)
{
    return guarded(why, [&] {
        return communicator == nullptr || operation == nullptr ? missing_argument()
                                                               : communicator->impl->start(*operation);
    });
}

sdfleet_nccl_status poll(sdfleet_nccl_communicator* communicator, sdfleet_nccl_text* why)
{
    return guarded(why, [&] { return communicator == nullptr ? missing_argument() : communicator->impl->poll(); });
}

void close(sdfleet_nccl_communicator* communicator, uint32_t finish_ms)
{
    if (communicator != nullptr) {
        communicator->impl->close(finish_ms);
    }
}

sdfleet_nccl_status poll_closed(sdfleet_nccl_communicator* communicator)
{
    if (communicator != nullptr && !communicator->impl->is_closed()) {
        return SDFLEET_NCCL_PENDING;
    }
    delete communicator;
    return SDFLEET_NCCL_DONE;
}

constexpr sdfleet_nccl_plugin table{
    SDFLEET_NCCL_PLUGIN_ABI,
    sizeof(sdfleet_nccl_plugin),
    probe,
    configure,
    unique_id,
    create,
    start,
    poll,
    close,
    poll_closed,
};

} // namespace

} // namespace sdfleet::cuda

extern "C" __attribute__((visibility("default"))) const sdfleet_nccl_plugin* sdfleet_nccl_plugin_v1()
{
    return &sdfleet::cuda::table;
}
