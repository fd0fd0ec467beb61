// SPDX-License-Identifier: Apache-2.0
#include "actor/device_watch.hpp"

#include "pipeline/lost_device.hpp"
#include "pipeline/out_of_memory.hpp"
#include "tests/catch.hpp"

using namespace sdfleet;
using namespace sdfleet::actor;
using proto::FailureReason;

TEST_CASE("errors that CUDA repeats until the process ends are a lost device, as LibTorch words them")
{
    const auto* words =
        GENERATE("drawing failed: CUDA error: an illegal memory access was encountered",
                 "CUDA error: misaligned address", "CUDA error: device-side assert triggered",
                 "CUDA error: unspecified launch failure", "CUDA error: uncorrectable ECC error encountered",
                 "CUDA error: unknown error", "CUDA error: the launch timed out and was terminated",
                 "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`",
                 "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED");
    CAPTURE(words);

    REQUIRE(pipeline::is_lost_device(words));
    REQUIRE_FALSE(pipeline::is_out_of_memory(words));
}

TEST_CASE("what only fails an item leaves the device as it is")
{
    const auto* words =
        GENERATE("CUDA out of memory. Tried to allocate 20.00 GiB", "CUDA error: out of memory",
                 "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                 "CUDA error: invalid argument", "CUDA error: no kernel image is available for execution",
                 "decoding failed: the picture has NaN", "misaligned address in the prompt", "");
    CAPTURE(words);

    REQUIRE_FALSE(pipeline::is_lost_device(words));
}

TEST_CASE("a kind's watch remembers the first failure that lost the device, and passes all on as they are")
{
    DeviceWatch watch;
    REQUIRE(watch.note({FailureReason::out_of_memory, "CUDA out of memory"}).message == "CUDA out of memory");
    REQUIRE(watch.note({FailureReason::bad_request, "unknown scheduler 'CUDA error: unknown error'"}).reason ==
            FailureReason::bad_request);
    REQUIRE_FALSE(watch.fault());

    watch.note({FailureReason::internal, "CUDA error: an illegal memory access was encountered"});
    watch.note({FailureReason::internal, "CUDA error: unspecified launch failure"});

    REQUIRE(watch.fault() == "CUDA error: an illegal memory access was encountered");
}
