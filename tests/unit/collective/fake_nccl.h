/* SPDX-License-Identifier: Apache-2.0 */
/* Controls of the GPU plug-in's double, libfake_nccl_plugin.so: the plug-in's whole interface over host memory, with threads
 * of one process as ranks. It has devices 0 and 1; on device 1 it says that its NCCL is another version. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum fake_nccl_fault {
    fake_nccl_works = 0,
    fake_nccl_no_driver,
    fake_nccl_no_device,
    fake_nccl_no_library,
    fake_nccl_no_unique_id,
    fake_nccl_network_error, /* whatever waits for other ranks learns that one is lost */
    fake_nccl_internal_error,
    fake_nccl_abort_hangs,
    fake_nccl_stalls /* operations are accepted and do not end */
};

/* For the whole process, until it is called again. */
void fake_nccl_set_fault(enum fake_nccl_fault fault);

/* Communicators that were created and not closed. */
int fake_nccl_open(void);

/* Operations that were accepted, ever, in all communicators. */
int fake_nccl_started(void);

/* Calls that broke the interface's rules: an operation on a busy communicator, a use after close. */
int fake_nccl_misuses(void);

#ifdef __cplusplus
}
#endif
