/* Stream capture, as far as launches need it. */
#include "cuda.h"

#include <string.h>

enum { CAPTURES_MAX = 64 };

static CUstream captures[CAPTURES_MAX];

CUgraph captured(CUstream stream)
{
    CUgraph graph = NULL;
    if (!stream)
        return NULL;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; i < CAPTURES_MAX; i++)
        if (captures[i] == stream)
            graph = (CUgraph)(void *)stream;
    pthread_mutex_unlock(&driver.lock);
    return graph;
}

void capture_forget(void)
{
    memset(captures, 0, sizeof captures);
}

static CUresult exchange(CUstream from, CUstream to)
{
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    for (int i = 0; i < CAPTURES_MAX && result != CUDA_SUCCESS; i++)
        if (captures[i] == from) {
            captures[i] = to;
            result = CUDA_SUCCESS;
        }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    (void)mode;
    return stream ? exchange(NULL, stream) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    *graph = captured(stream);
    return exchange(stream, NULL);
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
    static _Thread_local int own = CU_STREAM_CAPTURE_MODE_GLOBAL;
    int before = own;
    own = *mode;
    *mode = before;
    return CUDA_SUCCESS;
}
