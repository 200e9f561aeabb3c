#define _GNU_SOURCE
#include "markers.h"

#include <string.h>

#include "clock.h"
#include "state.h"

/* ---- meters ---- */

struct meter *meter_of(CUcontext context)
{
    struct meter *found = NULL;
    lock_take(&state.metering);
    for (int i = 0; i < METERS_MAX && !found; i++)
        if (state.meters[i].context == context)
            found = &state.meters[i];
    for (int i = 0; i < METERS_MAX && !found; i++)
        if (!state.meters[i].context) {
            found = &state.meters[i];
            found->context = context;
        }
    lock_drop(&state.metering);
    return found;
}

/* Held: the meter's lock. */
static void forget_events(struct meter *meter)
{
    memset(&meter->pace, 0, sizeof meter->pace);
    meter->spares = 0;
    meter->lives++;
}

void meters_end(CUcontext context)
{
    lock_take(&state.metering);
    for (int i = 0; context && i < METERS_MAX; i++)
        if (state.meters[i].context == context) {
            lock_take(&state.meters[i].lock);
            forget_events(&state.meters[i]);
            atomic_store(&state.meters[i].counted_on, 0);
            state.meters[i].context = NULL;
            lock_drop(&state.meters[i].lock);
        }
    lock_drop(&state.metering);
}

void meters_forget(void)
{
    memset(state.meters, 0, sizeof state.meters);
    memset(&state.metering, 0, sizeof state.metering);
}

/* ---- events ---- */

void marker_drop(struct meter *meter, CUevent event)
{
    if (!event)
        return;
    lock_take(&meter->lock);
    bool kept = meter->spares < SPARE_EVENTS;
    if (kept)
        meter->spare[meter->spares++] = event;
    lock_drop(&meter->lock);
    if (!kept)
        state.cuda.cuEventDestroy_v2(event);
}

CUevent marker_event(struct meter *meter, CUstream stream, bool per_thread)
{
    CUevent event = NULL;
    lock_take(&meter->lock);
    if (meter->spares > 0)
        event = meter->spare[--meter->spares];
    lock_drop(&meter->lock);
    if (!event && state.cuda.cuEventCreate(&event, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
        return NULL;
    CUresult result =
        per_thread ? state.cuda.cuEventRecord_ptsz(event, stream) : state.cuda.cuEventRecord(event, stream);
    if (result == CUDA_SUCCESS)
        return event;
    marker_drop(meter, event);
    return NULL;
}

bool marker_put(struct meter *meter, const struct pacing *pacing, const struct pace_marker *marker)
{
    struct pace_marker put = *marker;
    put.recorded_ns = precise_ns();
    put.others = pace_others(pacing->shared, pacing->process, put.recorded_ns);
    lock_take(&meter->lock);
    bool done = pace_mark(&meter->pace, &put);
    uint64_t until_ns = put.recorded_ns + meter->pace.in_flight_ns;
    lock_drop(&meter->lock);
    pace_present(pacing->shared, pacing->process, until_ns);
    return done;
}

/* ---- what has finished ---- */

static int64_t elapsed_ns(CUevent begin, CUevent end)
{
    float ms;
    if (!begin || !end || state.cuda.cuEventElapsedTime(&ms, begin, end) != CUDA_SUCCESS)
        return PACE_UNKNOWN;
    return (int64_t)((double)ms * 1e6);
}

/* One thread at a time asks; the others need not wait for its answers. */
static bool settle_begin(struct meter *meter)
{
    lock_take(&meter->lock);
    bool ours = !meter->settling && meter->pace.count > 0;
    meter->settling |= ours;
    lock_drop(&meter->lock);
    return ours;
}

/* False when the oldest has not finished, or there is none. */
static bool settle_one(struct meter *meter, const struct pacing *pacing)
{
    struct pace_marker oldest = {0};
    lock_take(&meter->lock);
    const struct pace_marker *place = pace_oldest(&meter->pace);
    if (place)
        oldest = *place;
    CUevent latest = meter->pace.latest;
    uint32_t lives = meter->lives;
    lock_drop(&meter->lock);
    if (!place)
        return false;

    CUresult result = state.cuda.cuEventQuery(oldest.end);
    if (result == CUDA_ERROR_NOT_READY)
        return false;
    int64_t since_latest_ns = PACE_UNKNOWN, since_begin_ns = PACE_UNKNOWN;
    if (result == CUDA_SUCCESS) {
        since_latest_ns = elapsed_ns(latest, oldest.end);
        since_begin_ns = elapsed_ns(oldest.begin, oldest.end);
    }

    void *spare = NULL;
    int64_t ns = 0;
    uint64_t now = precise_ns();
    unsigned int others = pace_others(pacing->shared, pacing->process, now);
    lock_take(&meter->lock);
    bool still = meter->lives == lives;
    if (still && result == CUDA_SUCCESS)
        ns = pace_finish(&meter->pace, now, since_latest_ns, since_begin_ns, others, &spare);
    else if (still)
        forget_events(meter); /* the context is broken */
    lock_drop(&meter->lock);
    if (!still || result != CUDA_SUCCESS)
        return false;
    pace_correct(pacing->shared, now, pacing->percent, ns);
    marker_drop(meter, spare);
    marker_drop(meter, oldest.begin);
    return true;
}

void meter_settle(struct meter *meter, const struct pacing *pacing)
{
    if (!settle_begin(meter))
        return;
    while (settle_one(meter, pacing))
        ;
    lock_take(&meter->lock);
    meter->settling = false;
    uint64_t in_flight_ns = meter->pace.in_flight_ns;
    bool idle = meter->pace.count == 0;
    uint64_t launch_ns =
        meter->pace.cost_ns[PACE_KERNEL] ? meter->pace.cost_ns[PACE_KERNEL] : meter->pace.cost_ns[PACE_GRAPH];
    lock_drop(&meter->lock);
    atomic_store_explicit(&pacing->shared->launch_ns, launch_ns, memory_order_relaxed);
    pace_present(pacing->shared, pacing->process, idle ? 0 : precise_ns() + in_flight_ns);
}

/* ---- what the meter says ---- */

bool meter_is_idle(struct meter *meter)
{
    lock_take(&meter->lock);
    bool idle = meter->pace.count == 0;
    lock_drop(&meter->lock);
    return idle;
}

bool meter_is_crowded(struct meter *meter, uint64_t now)
{
    lock_take(&meter->lock);
    bool crowded = pace_is_crowded(&meter->pace, now);
    lock_drop(&meter->lock);
    return crowded;
}

uint32_t meter_offer(struct meter *meter, enum pace_kind kind, uint64_t *cost_ns, bool *is_known)
{
    lock_take(&meter->lock);
    uint32_t launches = pace_launches(&meter->pace, kind);
    *cost_ns = pace_estimate(&meter->pace, kind);
    *is_known = meter->pace.cost_ns[kind] != 0;
    lock_drop(&meter->lock);
    return launches;
}
