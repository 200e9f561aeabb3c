#define _GNU_SOURCE
#include "gate.h"

#include <limits.h>
#include <time.h>

#include "clock.h"
#include "device.h"
#include "driver.h"
#include "streams.h"
#include "watcher.h"

enum { POLL_NS = 1000000, CROWDED_POLL_NS = 200000, BLOCKED_POLL_NS = 3000000, FREE_NS = 100000000 };
#define CROWDED_MOST_NS UINT64_C(200000000) /* work in flight may wait for what this very thread sends next */
#define BLOCKED_MOST_NS UINT64_C(30000000000)
#define PROBE_NS UINT64_C(12000000000) /* two turns of the monitor, and some */

_Thread_local struct allowance allowance;

static void sleep_ns(uint64_t ns)
{
    struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&pause, NULL);
}

/* ---- priority ---- */

static void say_active(struct region *region)
{
    uint64_t seconds = (uint64_t)time(NULL);
    if (atomic_load_explicit(&region->v1->last_kernel_time, memory_order_relaxed) < seconds)
        atomic_store_explicit(&region->v1->last_kernel_time, seconds, memory_order_relaxed);
}

/* The monitor counts recent_kernel down while nobody launches, and makes it negative to block us: while it lives, for
 * as long as it takes. It writes only what changes, so after a long time we lift the block ourselves, and wait whether
 * it comes back: if not, nobody is there to ever lift it. */
static void wait_for_turn(struct region *region)
{
    _Atomic int32_t *recent = &region->v1->recent_kernel;
    _Atomic uint64_t *probe = &region->extension->pace[0].probe_ns;
    if (atomic_load(recent) == RECENT_ACTIVE)
        return;
    int32_t seen = 0;
    uint64_t seen_since_ns = precise_ns();
    for (;;) {
        int32_t value = atomic_load(recent);
        uint64_t now = precise_ns();
        bool probing = value == 0 && now - atomic_load(probe) < PROBE_NS;
        if (value == RECENT_ACTIVE)
            return;
        if (value >= 0 && !probing) {
            if (!atomic_compare_exchange_strong(recent, &value, RECENT_ACTIVE))
                continue;
            say_active(region);
            return;
        }
        if (value != seen) {
            seen = value;
            seen_since_ns = now;
        }
        if (value < 0 && now - seen_since_ns > BLOCKED_MOST_NS) {
            atomic_store(probe, now);
            atomic_compare_exchange_strong(recent, &value, 0);
        }
        sleep_ns(BLOCKED_POLL_NS);
    }
}

/* ---- policy ---- */

bool cores_are_limited(void)
{
    if (state.settings.core_policy == CORES_NEVER)
        return false;
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        if (state.settings.core_percent[account] < 100)
            return true;
    return false;
}

/* While the monitor says so, a container that has the card for itself is not held back. */
bool cores_are_held_back(const struct region *region, unsigned int account)
{
    if (state.settings.core_percent[account] >= 100 || state.settings.core_policy == CORES_NEVER)
        return false;
    return state.settings.core_policy == CORES_ALWAYS ||
           atomic_load_explicit(&region->v1->utilization_switch, memory_order_relaxed) == 1;
}

static void grant(enum pace_kind kind, CUcontext context, int32_t launches)
{
    if (atomic_load_explicit(&state.cards, memory_order_relaxed) == 1) {
        allowance.left[kind] = launches - 1;
    } else {
        allowance.left[kind] = 0;
        allowance.left_here[kind] = launches - 1;
        allowance.context = context;
    }
}

/* As many launches as this thread makes in a tenth of a second, about: then the switch may have changed. */
static void grant_freely(enum pace_kind kind, CUcontext context)
{
    uint64_t now = precise_ns(), passed_ns = now - allowance.free_ns;
    int32_t launches = allowance.free_launches;
    if (passed_ns < FREE_NS / 2 && launches < 1 << 20)
        launches = launches * 2 + 1;
    else if (passed_ns > FREE_NS)
        launches = (int32_t)((uint64_t)launches * FREE_NS / passed_ns);
    allowance.free_launches = launches;
    allowance.free_ns = now;
    allowance.batch[kind].launches = 0;
    grant(kind, context, launches > 0 ? launches : 1);
}

/* ---- the driver's side ---- */

/* Events belong to a context, which must be current; and asking about them must not disturb a capture elsewhere. */
struct visit {
    bool pushed;
    int mode;
};

static struct visit enter(CUcontext context)
{
    struct visit visit = {.mode = CU_STREAM_CAPTURE_MODE_RELAXED};
    CUcontext current = NULL;
    if (state.cuda.cuCtxGetCurrent(&current) == CUDA_SUCCESS && current != context)
        visit.pushed = state.cuda.cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
    if (state.cuda.cuThreadExchangeStreamCaptureMode(&visit.mode) != CUDA_SUCCESS)
        visit.mode = -1;
    return visit;
}

static void leave(struct visit visit)
{
    CUcontext popped;
    if (visit.mode >= 0)
        state.cuda.cuThreadExchangeStreamCaptureMode(&visit.mode);
    if (visit.pushed)
        state.cuda.cuCtxPopCurrent_v2(&popped);
}

/* An event recorded now would become a part of the graph. In doubt (the default stream while others are captured) too,
 * but not where the driver knows no captures. */
static bool is_captured(CUstream stream, bool per_thread)
{
    int status = CU_STREAM_CAPTURE_STATUS_NONE;
    CUresult result = per_thread ? state.cuda.cuStreamIsCapturing_ptsz(stream, &status)
                                 : state.cuda.cuStreamIsCapturing(stream, &status);
    return result == CUDA_ERROR_NOT_SUPPORTED ? false
                                              : result != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

/* By the context that is current. */
static bool count_on(struct meter *meter, unsigned int *account)
{
    CUdevice device;
    *account = atomic_load(&meter->counted_on) - 1;
    if (*account == UINT_MAX && state.cuda.cuCtxGetDevice(&device) == CUDA_SUCCESS &&
        account_of_cuda(device, account) == CUDA_SUCCESS)
        atomic_store(&meter->counted_on, *account + 1);
    return *account < DEVICES_MAX;
}

/* ---- the share ---- */

/* A marker behind the launches since the last one. Only in the stream we know to be alive. */
static void close_batch(const struct gate *gate)
{
    struct batch *batch = &allowance.batch[gate->marker.kind];
    if (batch->launches > 1 && batch->meter == gate->meter && batch->stream == gate->stream &&
        batch->per_thread == gate->per_thread) {
        struct pace_marker marker = {.kind = gate->marker.kind, .launches = batch->launches - 1};
        marker.estimate_ns = marker.launches * batch->cost_ns;
        marker.pause_ns = precise_ns() - batch->begun_ns;
        marker.end = marker_event(gate->meter, gate->stream, gate->per_thread);
        if (marker.end && !marker_put(gate->meter, &gate->pacing, &marker))
            marker_drop(gate->meter, marker.end);
    }
    batch->launches = 0;
}

/* False when nothing holds us back any more. */
static bool take_share(struct gate *gate, struct region *region, unsigned int account)
{
    enum pace_kind kind = gate->marker.kind;
    uint64_t begun_ns = precise_ns(), cost_ns, now = begun_ns;
    for (;;) {
        meter_settle(gate->meter, &gate->pacing);
        uint64_t wait_ns = CROWDED_POLL_NS;
        uint32_t launches = 0;
        if (!meter_is_crowded(gate->meter, now) || now - begun_ns > CROWDED_MOST_NS) {
            launches = meter_offer(gate->meter, kind, &cost_ns, &gate->is_known);
            wait_ns = pace_take(gate->pacing.shared, now, gate->pacing.percent, launches * cost_ns);
        }
        if (wait_ns == 0) {
            gate->marker.launches = 1;
            gate->marker.estimate_ns = cost_ns;
            allowance.batch[kind] = (struct batch){launches, cost_ns, now, gate->meter, gate->stream, gate->per_thread};
            grant(kind, gate->context, (int32_t)launches);
            return true;
        }
        sleep_ns(wait_ns < POLL_NS ? wait_ns : POLL_NS);
        if (!cores_are_held_back(region, account))
            return false;
        if (atomic_load_explicit(&region->v1->recent_kernel, memory_order_relaxed) < 0)
            wait_for_turn(region);
        now = precise_ns();
    }
}

static void go_measured(struct gate *gate, struct region *region)
{
    struct visit visit = enter(gate->context);
    unsigned int account;
    bool counted = count_on(gate->meter, &account);
    if (counted && cores_are_held_back(region, account)) {
        gate->pacing = (struct pacing){.shared = &region->extension->pace[account],
                                       .process = region->index,
                                       .percent = state.settings.core_percent[account]};
        close_batch(gate);
        counted = take_share(gate, region, account);
        if (counted && meter_is_idle(gate->meter))
            gate->marker.begin = marker_event(gate->meter, gate->stream, gate->per_thread);
    } else {
        counted = false;
    }
    leave(visit);
    if (!counted) {
        gate->meter = NULL;
        grant_freely(gate->marker.kind, gate->context);
    }
}

static void go(struct gate *gate, struct region *region)
{
    cards_visible();
    gate->context = stream_context(gate->stream, gate->per_thread);
    if (!gate->context)
        return; /* the driver knows what to say */
    if (is_captured(gate->stream, gate->per_thread))
        return; /* nothing runs yet */
    gate->meter = meter_of(gate->context);
    if (gate->meter)
        go_measured(gate, region);
}

/* What passes where there are several cards. */
static bool is_granted_here(enum pace_kind kind, CUstream stream, bool per_thread)
{
    _Atomic int32_t *recent = atomic_load_explicit(&state.recent_kernel, memory_order_relaxed);
    if (allowance.left_here[kind] <= 0 || atomic_load_explicit(recent, memory_order_relaxed) != RECENT_ACTIVE ||
        stream_context(stream, per_thread) != allowance.context)
        return false;
    allowance.left_here[kind]--;
    return true;
}

void gate_open(struct gate *gate, enum pace_kind kind, CUstream stream, bool per_thread)
{
    gate->meter = NULL;
    if (is_granted_here(kind, stream, per_thread)) {
        allowance.left[kind] = 0;
        return;
    }
    *gate = (struct gate){.stream = stream, .per_thread = per_thread, .marker = {.kind = kind}};
    cuda();
    struct region *region = region_get();
    if (allowance.left[kind] < 0)
        allowance.left[kind] = 0;
    if (!region)
        return;
    atomic_store_explicit(&state.recent_kernel, &region->v1->recent_kernel, memory_order_relaxed);
    int cancelling; /* a thread must not be cancelled between the share and the launch */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    wait_for_turn(region);
    watcher_ensure();
    if (allowance.left[kind] > 0)
        allowance.left[kind]--; /* it was only the turn */
    else if (cores_are_limited())
        go(gate, region);
    else
        allowance.left[kind] = INT32_MAX;
    pthread_setcancelstate(cancelling, NULL);
}

void gate_close(struct gate *gate, CUresult result)
{
    if (!gate->meter)
        return;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    struct visit visit = enter(gate->context);
    bool marked = false;
    if (result == CUDA_SUCCESS) {
        gate->marker.end = marker_event(gate->meter, gate->stream, gate->per_thread);
        marked = gate->marker.end && marker_put(gate->meter, &gate->pacing, &gate->marker);
    }
    if (!marked) {
        marker_drop(gate->meter, gate->marker.begin);
        marker_drop(gate->meter, gate->marker.end);
    }
    leave(visit);
    if (result != CUDA_SUCCESS || (!marked && !gate->is_known)) /* it never ran; or we only guessed, and never learn */
        pace_correct(gate->pacing.shared, precise_ns(), gate->pacing.percent, -(int64_t)gate->marker.estimate_ns);
    pthread_setcancelstate(cancelling, NULL);
}

void gate_forget(void)
{
    atomic_store(&state.recent_kernel, &state.no_region);
    atomic_store(&state.cards, 0);
    allowance = (struct allowance){0};
    meters_forget();
}
