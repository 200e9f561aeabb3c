/* A libcuda.so.1 whose calls cost nothing, so that what is measured is the interceptor. One card, no memory, no books:
 * addresses come from a counter. HAMI_NULL_INIT_MS: how long cuInit takes (a real one about 200 ms). */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../library/cuda_abi.h"

#define EXPORT __attribute__((visibility("default")))

static _Atomic uint64_t next = UINT64_C(0x7f0000000000);
static char context, event;

EXPORT CUresult cuInit(unsigned int flags)
{
    (void)flags;
    const char *text = getenv("HAMI_NULL_INIT_MS");
    long ms = text ? atol(text) : 0;
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    (void)device;
    memset(uuid, 0, sizeof *uuid);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    (void)device;
    *bytes = (size_t)80 << 30;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *retained, CUdevice device)
{
    (void)device;
    *retained = (CUcontext)(void *)&context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *current)
{
    *current = (CUcontext)(void *)&context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetDevice(CUdevice *device)
{
    *device = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes)
{
    (void)bytes;
    *pointer = atomic_fetch_add_explicit(&next, 512, memory_order_relaxed);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    (void)pointer;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    *free_bytes = *total_bytes = (size_t)80 << 30;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                               unsigned int by, unsigned int bz, unsigned int shared, CUstream stream,
                               void **parameters, void **extra)
{
    (void)function, (void)gx, (void)gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared, (void)stream;
    (void)parameters, (void)extra;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamIsCapturing(CUstream stream, int *status)
{
    (void)stream;
    *status = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventCreate(CUevent *created, unsigned int flags)
{
    (void)flags;
    *created = (CUevent)(void *)&event;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventDestroy_v2(CUevent destroyed)
{
    (void)destroyed;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventRecord(CUevent recorded, CUstream stream)
{
    (void)recorded, (void)stream;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventQuery(CUevent queried)
{
    (void)queried;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuEventElapsedTime(float *ms, CUevent begin, CUevent end)
{
    (void)begin, (void)end;
    *ms = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuThreadExchangeStreamCaptureMode(int *mode)
{
    *mode = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count)
{
    *count = 1;
    return CUDA_SUCCESS;
}
