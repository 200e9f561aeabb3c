/* Everything this library knows. At file scope there are besides only a thread's own variables, and what the watcher
 * alone needs to read NVML's answers (under state.asking). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "allocations.h"
#include "cuda_abi.h"
#include "markers.h"
#include "nvml_abi.h"
#include "region.h"
#include "settings.h"

#define EXPORT __attribute__((visibility("default")))

/* The real driver's functions. What an older driver lacks answers "not supported". */
struct cuda {
#define HOOK(symbol, parameters, chapter) CUresult(*symbol) parameters;
#define CALL(symbol, parameters) CUresult(*symbol) parameters;
#define NVML_HOOK(symbol, parameters)
#define NVML_CALL(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};

struct nvml {
#define HOOK(symbol, parameters, chapter)
#define CALL(symbol, parameters)
#define NVML_HOOK(symbol, parameters) nvmlReturn_t(*symbol) parameters;
#define NVML_CALL(symbol, parameters) nvmlReturn_t(*symbol) parameters;
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};

/* How the container's watcher looks at one card. */
struct feedback {
    struct pace_feedback pace;
    uint64_t newest_us; /* of the samples it has seen */
};

typedef void *dlsym_function(void *handle, const char *name);
typedef void *dlvsym_function(void *handle, const char *name, const char *version);

struct pool;

struct state {
    _Atomic(dlsym_function *) real_dlsym;
    _Atomic(dlvsym_function *) real_dlvsym;
    struct cuda cuda;
    struct nvml nvml;
    _Atomic bool cuda_ready, nvml_ready;

    pthread_mutex_t attaching;
    struct settings settings;        /* read before the region is attached */
    _Atomic(struct region *) region; /* NULL until attached */
    struct region attached;
    _Atomic uint64_t own_used_bytes[DEVICES_MAX]; /* what this process holds, out of reach of the container's others */
    pthread_mutex_t asking;     /* held while NVML is asked on our own account; recursive, for NVML may fork */
    pthread_mutex_t reclaiming; /* one thread at a time clears dead slots away */
    _Atomic uint32_t warned;    /* one bit per enum warning */
    _Atomic bool nvml_started;  /* by us, once; held: asking */
    _Atomic bool watching;      /* this process is the container's watcher */
    _Atomic bool ending;        /* exit() has begun: NVML is asked nothing any more */
    _Atomic bool end_registered;
    _Atomic uint64_t watch_asked_ns;      /* when we last made sure that somebody watches */
    unsigned int looks_over[DEVICES_MAX]; /* in a row, the watcher's own: the container held more than its limit */
    _Atomic uint64_t agent_due_ns;        /* not before then is the node agent asked again */
    _Atomic uint32_t agent_tries;

    _Atomic int8_t account_of[64]; /* CUDA ordinal -> account + 1; 0 = not asked yet */

    struct allocations pointers;    /* device pointers; owner: the context they die with, 0 = none */
    _Atomic uint64_t context_ends;  /* how many contexts somebody has set about to end */
    _Atomic(CUcontext) primary[64]; /* by CUDA ordinal, learnt from cuDevicePrimaryCtxRetain */
    pthread_mutex_t retaining;      /* held through every call that may end a primary context */
    pthread_mutex_t mapping;        /* held through every call of the chapter on virtual memory */
    struct allocations blocks;      /* physical memory by a number of our own; references keep it */
    struct allocations handles;     /* owner: the block; references: how often the handle must be released */
    struct allocations mappings;    /* by address; owner: the block, 0 = not ours */
    struct allocations bindings;    /* of memory to multicast objects; see multicast.c */
    uint64_t block_number;          /* of the latest block */
    struct allocations arrays;      /* by handle, mipmapped ones too; owner: the context they die with */

    _Atomic(struct pool *) pools;             /* every one the program has used */
    _Atomic(struct pool *) pool_expected[64]; /* by CUDA ordinal: where its latest allocation came from */
    pthread_mutex_t pooling;                  /* held while one is added */
    _Atomic bool pools_freed;                 /* something came back to a pool since we last waited for the card */
    _Atomic unsigned int pool_chunk_halvings; /* how often 32 MiB are halved to the unit by which pools grow */
    struct allocations graphs;                /* instantiated ones with memory nodes; see graphs.c */
    _Atomic bool graphs_allocate;             /* there was one */
    _Atomic bool graphs_leave;                /* one that does not free all it allocates */
    _Atomic uint32_t graph_trims;             /* how often what graphs keep was made to come back */
    pthread_mutex_t limiting;                 /* held through cuCtxSetLimit */
    struct allocations context_limits;        /* a context's heap and printf buffer beyond the usual */
    _Atomic bool weighing;                    /* the watcher is at the driver */

    _Atomic(_Atomic int32_t *) recent_kernel; /* the region's word; before it is attached, one that lets nothing pass */
    _Atomic int32_t no_region;
    _Atomic int cards; /* that CUDA shows; 0 = not asked yet */
    struct lock metering;
    struct meter meters[METERS_MAX];
    struct feedback feedback[DEVICES_MAX]; /* the watcher's own */
};

extern struct state state;

/* The region, attached on first use. */
static inline struct region *region_get(void)
{
    struct region *region = atomic_load_explicit(&state.region, memory_order_acquire);
    return __builtin_expect(region != NULL, 1) ? region : region_attach();
}
