/* When a launch may go to the card: blocked by a container of higher priority, held back by the share, or at once. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "markers.h"
#include "state.h"

enum { RECENT_ACTIVE = 2 }; /* of the region's recent_kernel: has launched of late, and is not blocked */

/* What this thread may launch before it must look again. */
struct allowance {
    int32_t left[PACE_KINDS];
    int32_t left_here[PACE_KINDS]; /* the same where there are several cards: good for one context only */
    CUcontext context;
    struct batch {
        uint32_t launches; /* granted; 0 when there is nothing to mark any more */
        uint64_t cost_ns, begun_ns;
        struct meter *meter;
        CUstream stream;
        bool per_thread;
    } batch[PACE_KINDS];
    uint64_t free_ns; /* when launches were last granted without a limit */
    int32_t free_launches;
};

extern _Thread_local struct allowance allowance;

/* The common case: two loads, a comparison, and a count of our own. */
static inline bool gate_is_open(enum pace_kind kind)
{
    _Atomic int32_t *recent = atomic_load_explicit(&state.recent_kernel, memory_order_relaxed);
    return __builtin_expect(atomic_load_explicit(recent, memory_order_relaxed) == RECENT_ACTIVE, 1) &&
           __builtin_expect(--allowance.left[kind] >= 0, 1);
}

/* A launch on its way through. */
struct gate {
    struct meter *meter; /* NULL: there is nothing to measure */
    struct pacing pacing;
    struct pace_marker marker;
    CUcontext context;
    CUstream stream;
    bool per_thread, is_known;
};

/* Returns when the launch may go. Then the driver is called, and the gate closed with its answer. */
void gate_open(struct gate *gate, enum pace_kind kind, CUstream stream, bool per_thread);
void gate_close(struct gate *gate, CUresult result);

/* In a forked child. */
void gate_forget(void);

/* True when the settings hold back kernels of any card. */
bool cores_are_limited(void);

/* True when that holds on this card now. */
bool cores_are_held_back(const struct region *region, unsigned int account);
