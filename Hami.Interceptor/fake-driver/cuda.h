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
    uint64_t fifo_bytes, heap_bytes; /* beyond what every context has; see cuCtxSetLimit */
    _Atomic uint64_t done_ns;        /* when all that was sent is done */
};

struct CUmemPoolHandle_st {
    CUmemoryPool next; /* of all that ever were */
    int card;          /* -1: its memory is the host's */
    bool fixed;        /* the device's own, never destroyed */
    bool of_graphs;    /* no pool at all: what the device's graphs have of it (graphs.c) */
    bool destroyed;
    uint64_t threshold_bytes; /* what it keeps at a synchronisation */
    uint64_t reserved_bytes, reserved_high_bytes, used_bytes, used_high_bytes;
    struct segment *segments;
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
void block_note(uint64_t address, uint64_t bytes, CUmemoryPool pool); /* part of a pool; held: the driver's lock */
CUresult block_pool(uint64_t address, CUmemoryPool *pool);            /* NULL: of none */
void blocks_forget(void);

/* Addresses that nothing else has. */
uint64_t address_take(uint64_t bytes); /* the caller holds the driver's lock */

void mappings_forget(void);

/* A multicast object, which is a handle without bytes, lets go of what is bound to it. */
void multicast_end(uint64_t handle);
void multicast_forget(void);

CUresult hami_fake_take(size_t bytes);

/* A context takes its arrays with it. */
void arrays_remove(CUcontext context);
void arrays_forget(void);

/* Stream-ordered memory. What is synchronised lets pools give back what they need not keep. */
CUresult pool_allocate(CUdeviceptr *pointer, uint64_t bytes, CUmemoryPool pool);
void pool_take_back(CUmemoryPool pool, uint64_t address, uint64_t bytes); /* held: the driver's lock */
void pools_synchronise(void);
void pools_forget(void);

/* Default streams belong to whatever context is current. */
CUcontext stream_context(CUstream stream);

/* Graphs. The graph a stream is captured into, NULL: it is not. */
CUgraph captured(CUstream stream);
enum { CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900 };
bool call_is_unsafe(void);
void captures_break(void); /* the captures do not survive it */
CUresult graph_add_allocation(CUgraph graph, CUdeviceptr *pointer, uint64_t bytes, int card);
CUresult graph_add_free(CUgraph graph, CUdeviceptr pointer);
void graphs_forget(void);
void capture_forget(void);

/* On the current context. */
CUresult memory_allocate(CUdeviceptr *pointer, uint64_t bytes);
CUresult memory_release(CUdeviceptr pointer);

/* The card's time for what is sent to a stream; of a captured one it becomes the graph's. */
void graph_add_work(CUgraph graph, uint64_t work_ns);
CUresult stream_work(CUstream stream, uint64_t cost_ns);
unsigned int hami_fake_captured_events(void);
