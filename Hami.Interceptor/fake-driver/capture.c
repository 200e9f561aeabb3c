/* Stream capture: what is asked of a captured stream becomes a node of a graph. */
#include "cuda.h"

#include <string.h>

enum { CAPTURES_MAX = 64 };

static struct {
    CUstream stream; /* NULL = free; the legacy stream cannot be captured */
    CUgraph graph;
    int mode;
    bool broken; /* somebody made a call that none may make meanwhile */
} captures[CAPTURES_MAX];

static _Thread_local int thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

/* A call that no thread may make while anything is captured in the global mode, unless it has said that it knows what
 * it does. */
bool call_is_unsafe(void)
{
    bool is_unsafe = false;
    if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED)
        return false;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; i < CAPTURES_MAX; i++)
        if (captures[i].stream && captures[i].mode == CU_STREAM_CAPTURE_MODE_GLOBAL)
            is_unsafe = true;
    pthread_mutex_unlock(&driver.lock);
    return is_unsafe;
}

void captures_break(void)
{
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; i < CAPTURES_MAX; i++)
        captures[i].broken |= captures[i].stream && captures[i].mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    pthread_mutex_unlock(&driver.lock);
}

CUgraph captured(CUstream stream)
{
    CUgraph graph = NULL;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; stream && i < CAPTURES_MAX; i++)
        if (captures[i].stream == stream)
            graph = captures[i].graph;
    pthread_mutex_unlock(&driver.lock);
    return graph;
}

void capture_forget(void)
{
    memset(captures, 0, sizeof captures);
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    CUgraph graph;
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!stream)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (captured(stream))
        return CUDA_ERROR_INVALID_VALUE;
    result = cuGraphCreate(&graph, 0);
    bool placed = false;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; result == CUDA_SUCCESS && i < CAPTURES_MAX && !placed; i++)
        if (!captures[i].stream) {
            captures[i].stream = stream;
            captures[i].graph = graph;
            captures[i].mode = mode;
            captures[i].broken = false;
            placed = true;
        }
    pthread_mutex_unlock(&driver.lock);
    return result == CUDA_SUCCESS && !placed ? CUDA_ERROR_UNKNOWN : result;
}

EXPORT CUresult cuStreamBeginCapture_v2_ptsz(CUstream stream, int mode)
{
    return cuStreamBeginCapture_v2(stream, mode);
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; stream && graph && i < CAPTURES_MAX; i++)
        if (captures[i].stream == stream) {
            *graph = captures[i].graph;
            captures[i].stream = NULL;
            result = captures[i].broken ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
        }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuStreamEndCapture_ptsz(CUstream stream, CUgraph *graph)
{
    return cuStreamEndCapture(stream, graph);
}

EXPORT CUresult cuStreamIsCapturing(CUstream stream, int *status)
{
    return int_out(status, captured(stream) ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE);
}

EXPORT CUresult cuStreamIsCapturing_ptsz(CUstream stream, int *status)
{
    return cuStreamIsCapturing(stream, status);
}

EXPORT CUresult cuThreadExchangeStreamCaptureMode(int *mode)
{
    int before = thread_mode;
    thread_mode = *mode;
    *mode = before;
    return CUDA_SUCCESS;
}
