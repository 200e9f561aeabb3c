/* Chapters "Stream Management" and "Event Management". Streams of a context run one behind the other, as everything on
 * a card does here; an event is past when what was sent to its stream before it is done. */
#define _GNU_SOURCE
#include "cuda.h"

#include <stdlib.h>
#include <time.h>

#include "card_time.h"

struct CUstream_st {
    CUcontext context;
    _Atomic uint64_t done_ns;
};

struct CUevent_st {
    CUcontext context;
    unsigned int flags;
    _Atomic uint64_t past_ns; /* 0 = never recorded */
};

static bool is_default(CUstream stream)
{
    return !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
}

CUcontext stream_context(CUstream stream)
{
    return is_default(stream) ? current : stream->context;
}

static _Atomic uint64_t *done_of(CUstream stream)
{
    return is_default(stream) ? &current->done_ns : &stream->done_ns;
}

static void at_least(_Atomic uint64_t *word, uint64_t ns)
{
    uint64_t before = atomic_load(word);
    while (before < ns && !atomic_compare_exchange_weak(word, &before, ns))
        ;
}

static void wait_until(uint64_t ns)
{
    struct timespec until = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        ;
}

/* For tests: events that became nodes of a graph, which no program here ever asks for. */
EXPORT unsigned int hami_fake_captured_events(void)
{
    return atomic_load(&driver.events_captured);
}

CUresult stream_work(CUstream stream, uint64_t cost_ns)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS || cost_ns == 0)
        return result;
    CUgraph graph = captured(stream);
    if (graph) {
        graph_add_work(graph, cost_ns);
        return result;
    }
    CUcontext context = stream_context(stream);
    uint64_t done_ns = card_work(&driver.cards[context->card], atomic_load(done_of(stream)), cost_ns);
    at_least(done_of(stream), done_ns);
    at_least(&context->done_ns, done_ns);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned int flags)
{
    (void)flags;
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!stream || !(*stream = calloc(1, sizeof **stream)))
        return CUDA_ERROR_INVALID_VALUE;
    (*stream)->context = current;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream)
{
    if (is_default(stream))
        return CUDA_ERROR_INVALID_HANDLE;
    free(stream);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamGetCtx(CUstream stream, CUcontext *context)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS || !context)
        return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_VALUE;
    *context = stream_context(stream);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext *context)
{
    return cuStreamGetCtx(stream, context);
}

EXPORT CUresult cuStreamSynchronize(CUstream stream)
{
    CUresult result = check_context();
    if (result == CUDA_SUCCESS)
        wait_until(atomic_load(done_of(stream)));
    pools_synchronise();
    return result;
}

EXPORT CUresult cuStreamSynchronize_ptsz(CUstream stream)
{
    return cuStreamSynchronize(stream);
}

EXPORT CUresult cuCtxSynchronize(void)
{
    CUresult result = check_context();
    if (result == CUDA_SUCCESS)
        wait_until(atomic_load(&current->done_ns));
    pools_synchronise();
    return result;
}

EXPORT CUresult cuEventCreate(CUevent *event, unsigned int flags)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!event || !(*event = calloc(1, sizeof **event)))
        return CUDA_ERROR_INVALID_VALUE;
    (*event)->context = current;
    (*event)->flags = flags;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent event)
{
    free(event);
    return event ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!event || event->context != stream_context(stream))
        return CUDA_ERROR_INVALID_HANDLE;
    if (captured(stream)) {
        driver.events_captured++; /* a node of the graph, which the program never asked for */
        return CUDA_SUCCESS;
    }
    uint64_t now = card_now_ns(), done_ns = atomic_load(done_of(stream));
    atomic_store(&event->past_ns, done_ns > now ? done_ns : now);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord_ptsz(CUevent event, CUstream stream)
{
    return cuEventRecord(event, stream);
}

EXPORT CUresult cuEventQuery(CUevent event)
{
    INJECT();
    if (call_is_unsafe()) {
        captures_break();
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (!event)
        return CUDA_ERROR_INVALID_HANDLE;
    return atomic_load(&event->past_ns) > card_now_ns() ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

EXPORT CUresult cuEventSynchronize(CUevent event)
{
    if (!event)
        return CUDA_ERROR_INVALID_HANDLE;
    wait_until(atomic_load(&event->past_ns));
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventElapsedTime(float *ms, CUevent begin, CUevent end)
{
    INJECT();
    if (!ms)
        return CUDA_ERROR_INVALID_VALUE;
    if (!begin || !end || ((begin->flags | end->flags) & CU_EVENT_DISABLE_TIMING) || !begin->past_ns || !end->past_ns)
        return CUDA_ERROR_INVALID_HANDLE;
    if (cuEventQuery(begin) != CUDA_SUCCESS || cuEventQuery(end) != CUDA_SUCCESS)
        return CUDA_ERROR_NOT_READY;
    *ms = (float)((double)(int64_t)(end->past_ns - begin->past_ns) / 1e6);
    return CUDA_SUCCESS;
}
