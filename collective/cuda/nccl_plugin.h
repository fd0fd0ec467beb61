/* SPDX-License-Identifier: Apache-2.0 */
/* What libsdfleet_cuda.so offers of NCCL, as a plain C interface: the programs are built without CUDA, NCCL and Torch and
 * load it when a GPU is asked for. Both sides check SDFLEET_NCCL_PLUGIN_ABI; a change of any struct, number or meaning
 * here raises it.
 *
 * Threads: all calls on one communicator come from one thread. Calls set the calling thread's current CUDA device.
 * Nothing here blocks for another rank: what takes long is started, and then polled.
 * Strings that come back are one line, cut to fit and ended by 0. */
#ifndef SDFLEET_NCCL_PLUGIN_H
#define SDFLEET_NCCL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SDFLEET_NCCL_PLUGIN_ABI 1u
#define SDFLEET_NCCL_PLUGIN_SYMBOL "sdfleet_nccl_plugin_v1"
#define SDFLEET_NCCL_UNIQUE_ID_BYTES 128
#define SDFLEET_NCCL_TEXT_BYTES 512
#define SDFLEET_NCCL_NAME_BYTES 128

typedef int32_t sdfleet_nccl_status;
enum {
    SDFLEET_NCCL_DONE = 0,
    SDFLEET_NCCL_PENDING = 1,
    SDFLEET_NCCL_FAILED = 2,     /* the communicator is of no more use: close it */
    SDFLEET_NCCL_PEER_LOST = 3,  /* the same; NCCL's network lost another rank, it does not say which */
    SDFLEET_NCCL_INVALID = 4,    /* a wrong argument or a call out of order; nothing was started */
    SDFLEET_NCCL_NO_DRIVER = 5,  /* this machine has no GPU driver, or one that is too old */
    SDFLEET_NCCL_NO_DEVICE = 6,  /* there is a driver, but not this device */
    SDFLEET_NCCL_NO_LIBRARY = 7  /* libnccl.so.2 is missing or does not fit */
};

typedef struct sdfleet_nccl_text {
    char text[SDFLEET_NCCL_TEXT_BYTES];
} sdfleet_nccl_text;

/* What a probe found; 0 and "" for what it did not get to. Versions as the libraries number them: NCCL 2.28.9 is 22809,
 * CUDA 13.0 is 13000. */
typedef struct sdfleet_nccl_facts {
    int32_t nccl_version;
    int32_t driver_version;
    int32_t runtime_version;
    int32_t device_count;
    uint64_t device_memory_bytes;
    int32_t compute_capability; /* 90 for 9.0 */
    int32_t reserved;
    char device_name[SDFLEET_NCCL_NAME_BYTES];
    char nccl_path[SDFLEET_NCCL_TEXT_BYTES];
} sdfleet_nccl_facts;

/* What NCCL reads once in a process, from its environment. NULL and 0 leave what the environment says. */
typedef struct sdfleet_nccl_environment {
    const char* network;   /* NCCL_NET */
    const char* interface; /* NCCL_SOCKET_IFNAME */
    uint64_t buffer_bytes; /* NCCL_BUFFSIZE */
} sdfleet_nccl_environment;

typedef struct sdfleet_nccl_communicator_options {
    uint8_t unique_id[SDFLEET_NCCL_UNIQUE_ID_BYTES];
    uint32_t rank;
    uint32_t world_size;
    int32_t device;
    int32_t max_ctas; /* 0: NCCL's choice */
} sdfleet_nccl_communicator_options;

/* The numbers are those of collective/element_type.hpp. */
typedef int32_t sdfleet_nccl_element;
typedef int32_t sdfleet_nccl_reduction;

typedef int32_t sdfleet_nccl_operation_kind;
enum {
    SDFLEET_NCCL_BARRIER = 0,    /* uses no field below */
    SDFLEET_NCCL_ALL_REDUCE = 1, /* input, output (may be equal), count elements, element, reduction */
    SDFLEET_NCCL_BROADCAST = 2,  /* input at root; output everywhere (may be equal); count bytes */
    SDFLEET_NCCL_GATHER = 3,     /* input: count bytes; output at root: world_size times count, by rank */
    SDFLEET_NCCL_ALL_GATHER = 4, /* the same with output everywhere */
    SDFLEET_NCCL_SCATTER = 5,    /* input at root: world_size times count, by rank; output: count bytes */
    SDFLEET_NCCL_SEND = 6,       /* input: count bytes to peer */
    SDFLEET_NCCL_RECV = 7        /* output: count bytes from peer */
};

/* Pointers are to memory of the communicator's device, valid until the operation ended or the communicator was closed.
 * It begins when the work that `after_stream` (a cudaStream_t; NULL is the default stream) holds at the call is done.
 * Its results may be used, on any stream, once poll said DONE. */
typedef struct sdfleet_nccl_operation {
    sdfleet_nccl_operation_kind kind;
    sdfleet_nccl_element element;
    sdfleet_nccl_reduction reduction;
    uint32_t peer_or_root;
    const void* input;
    void* output;
    uint64_t count;
    void* after_stream;
} sdfleet_nccl_operation;

typedef struct sdfleet_nccl_communicator sdfleet_nccl_communicator;

typedef struct sdfleet_nccl_plugin {
    uint32_t abi_version;
    uint32_t table_bytes;

    /* Whether `device` can be used: NO_LIBRARY, NO_DRIVER, NO_DEVICE or DONE, and the facts as far as they are known. */
    sdfleet_nccl_status (*probe)(int32_t device, sdfleet_nccl_facts* facts, sdfleet_nccl_text* why);

    /* Sets the environment for NCCL. Once in a process counts: INVALID when a later call asks for something else. Before
     * unique_id and create, and, as it changes the environment, while no other thread reads that. */
    sdfleet_nccl_status (*configure)(const sdfleet_nccl_environment* environment, sdfleet_nccl_text* why);

    /* By one rank of a communicator, which gives it to the others. This process must live until all have joined. */
    sdfleet_nccl_status (*unique_id)(uint8_t id[SDFLEET_NCCL_UNIQUE_ID_BYTES], sdfleet_nccl_text* why);

    /* Starts a communicator. PENDING: poll it until it is DONE. Otherwise *communicator is NULL. */
    sdfleet_nccl_status (*create)(const sdfleet_nccl_communicator_options* options, sdfleet_nccl_communicator** communicator,
                                  sdfleet_nccl_text* why);

    /* Starts an operation, PENDING; INVALID while the last one has not ended. */
    sdfleet_nccl_status (*start)(sdfleet_nccl_communicator* communicator, const sdfleet_nccl_operation* operation,
                                 sdfleet_nccl_text* why);

    /* How the creation or the last operation fares. Does not block. */
    sdfleet_nccl_status (*poll)(sdfleet_nccl_communicator* communicator, sdfleet_nccl_text* why);

    /* Begins to end the communicator, on a thread of its own, with whatever is under way; after it only poll_closed may be
     * called. With finish_ms > 0 what was already sent gets so long to arrive at the others; with 0 it is aborted. */
    void (*close)(sdfleet_nccl_communicator* communicator, uint32_t finish_ms);

    /* PENDING; DONE: all is freed, the handle too. An abort may hang inside the driver: after some patience the process
     * should be killed, there is no other way out. */
    sdfleet_nccl_status (*poll_closed)(sdfleet_nccl_communicator* communicator);
} sdfleet_nccl_plugin;

/* The table lives as long as the library. */
typedef const sdfleet_nccl_plugin* (*sdfleet_nccl_plugin_function)(void);

#ifdef __cplusplus
}
#endif

#endif
