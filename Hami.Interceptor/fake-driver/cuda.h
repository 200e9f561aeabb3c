/* What the chapters of the pretended libcuda know of each other; nothing here is exported. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../library/cuda_abi.h"
#include "node.h"

#define EXPORT __attribute__((visibility("default")))
#define INJECT()                                                                                                       \
    do {                                                                                                               \
        int injected = node_injected(__func__);                                                                        \
        if (injected)                                                                                                  \
            return injected;                                                                                           \
    } while (0)

struct CUctx_st {
    int card;
    bool primary;
    unsigned int references; /* of a primary context */
    bool destroyed;
    _Atomic uint64_t done_ns; /* when all that was sent is done */
};

struct CUmemPoolHandle_st {
    int card;
};

struct driver {
    _Atomic bool initialised;
    pthread_mutex_t lock;
    struct card cards[CARDS_MAX];
    int count;
    struct CUctx_st primary[CARDS_MAX];
    _Atomic unsigned int events_captured;
};

extern struct driver driver;
extern _Thread_local CUcontext current;

/* The code a call begins with: not initialised, no such card, no usable context; else success. */
CUresult check_initialised(void);
CUresult check_device(CUdevice device);
CUresult check_context(void);

/* A number to the program, where it gave a place for it. */
CUresult int_out(int *place, int value);

/* The 32 bits of a size that a function of CUDA before 3.2 has room for. */
unsigned int size_v1(size_t bytes);

/* Memory of a card at an address of its own; it belongs to a context, or to none when it is a physical handle. */
CUresult block_add(uint64_t *address, uint64_t bytes, int card, CUcontext context);
CUresult block_hold(uint64_t handle); /* one more reference; the caller holds the driver's lock */
CUresult block_remove(uint64_t address, bool handle);
CUresult block_card(uint64_t address, int *card);
void blocks_remove(CUcontext context);
void blocks_forget(void);

/* Addresses that nothing else has. */
uint64_t address_take(uint64_t bytes); /* the caller holds the driver's lock */

void mappings_forget(void);

CUresult hami_fake_take(size_t bytes);

/* On the current context; a pool lies on a card of its own. */
CUresult memory_allocate(CUdeviceptr *pointer, uint64_t bytes, CUmemoryPool pool);
CUresult memory_release(CUdeviceptr pointer);

/* The card's time for what is sent to a stream; a captured stream sends nothing. */
CUresult stream_work(CUstream stream, uint64_t cost_ns);
unsigned int hami_fake_captured_events(void);
CUresult graph_work(CUstream stream, unsigned int kernels);

/* The graph a stream is captured into, NULL: it is not. */
CUgraph captured(CUstream stream);
void capture_forget(void);
