/* What this process has on its cards, context by context, known by events that are recorded in the program's streams
 * behind its launches. No event call that fails ever fails a launch: then its estimate stays. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cuda_abi.h"
#include "lock.h"
#include "pace.h"

enum { METERS_MAX = 64, SPARE_EVENTS = 16 };

struct meter {
    struct lock lock;
    CUcontext context;               /* NULL = free */
    _Atomic unsigned int counted_on; /* account + 1; 0 = not known yet */
    uint32_t lives;                  /* grows when the context ends: what was read before is of no use */
    bool settling;                   /* a thread asks about the oldest marker */
    struct pace_meter pace;
    CUevent spare[SPARE_EVENTS];
    unsigned int spares;
};

/* Where a budget is, and who asks. */
struct pacing {
    struct pace_shared *shared;
    unsigned int process, percent;
};

/* The context's meter; NULL when there are too many. */
struct meter *meter_of(CUcontext context);

/* The context's events end with it. */
void meters_end(CUcontext context);

/* In a forked child, where no event of the parent's is any good. */
void meters_forget(void);

/* While the meter's context is current. */
CUevent marker_event(struct meter *meter, CUstream stream, bool per_thread); /* recorded; NULL when that failed */
bool marker_put(struct meter *meter, const struct pacing *pacing, const struct pace_marker *marker);
void marker_drop(struct meter *meter, CUevent event);
void meter_settle(struct meter *meter, const struct pacing *pacing); /* what has finished is corrected */

bool meter_is_idle(struct meter *meter);
bool meter_is_crowded(struct meter *meter, uint64_t now);

/* How many launches may be taken at once, and at what estimate for each; is_known: not just a guess. */
uint32_t meter_offer(struct meter *meter, enum pace_kind kind, uint64_t *cost_ns, bool *is_known);
