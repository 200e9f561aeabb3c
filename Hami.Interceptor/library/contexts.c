/* Chapters "Context Management" and "Primary Context Management": a context takes its memory with it. */
#define _GNU_SOURCE
#include "account.h"
#include "backstop.h"
#include "driver.h"

enum { PRIMARIES = sizeof state.primary / sizeof state.primary[0] };

static void give_back(const struct allocation *taken)
{
    account_return(taken->account, taken->bytes);
}

/* What was allocated before the driver was asked: a context made since may have the same address. */
static void settle(CUcontext context, uint64_t serial)
{
    if (!context)
        return;
    allocations_take_owned(&state.pointers, (uint64_t)(uintptr_t)context, serial, give_back);
    allocations_take_owned(&state.arrays, (uint64_t)(uintptr_t)context, serial, give_back);
    allocations_take_owned(&state.context_limits, (uint64_t)(uintptr_t)context, serial, give_back);
}

#define CREATE(symbol, ...)                                                                                            \
    if (!context_opening(device))                                                                                      \
        return CUDA_ERROR_OUT_OF_MEMORY;                                                                               \
    CUresult result = cuda()->symbol(__VA_ARGS__);                                                                     \
    if (result == CUDA_SUCCESS)                                                                                        \
        context_opened(device);                                                                                        \
    return result

EXPORT CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device)
{
    CREATE(cuCtxCreate, context, flags, device);
}

EXPORT CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
    CREATE(cuCtxCreate_v2, context, flags, device);
}

EXPORT CUresult cuCtxCreate_v3(CUcontext *context, void *affinities, int count, unsigned int flags, CUdevice device)
{
    CREATE(cuCtxCreate_v3, context, affinities, count, flags, device);
}

EXPORT CUresult cuCtxCreate_v4(CUcontext *context, void *parameters, unsigned int flags, CUdevice device)
{
    CREATE(cuCtxCreate_v4, context, parameters, flags, device);
}

static CUresult destroy(CUcontext context, CUresult (*end)(CUcontext context))
{
    uint64_t serial = atomic_fetch_add(&state.context_ends, 1);
    meters_end(context);
    CUresult result = end(context);
    if (result == CUDA_SUCCESS)
        settle(context, serial);
    return result;
}

EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
    return destroy(context, cuda()->cuCtxDestroy_v2);
}

EXPORT CUresult cuCtxDestroy(CUcontext context)
{
    return destroy(context, cuda()->cuCtxDestroy);
}

/* Only here does a program, and do we, learn which context is a device's primary one. One at a time, so that nobody
 * brings it back between its end and our look at whether it ended. */
EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    if (!context_opening(device))
        return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&state.retaining);
    CUresult result = cuda()->cuDevicePrimaryCtxRetain(context, device);
    if (result == CUDA_SUCCESS && context && device >= 0 && device < PRIMARIES)
        atomic_store(&state.primary[device], *context);
    pthread_mutex_unlock(&state.retaining);
    if (result == CUDA_SUCCESS)
        context_opened(device);
    return result;
}

static CUcontext primary_of(CUdevice device)
{
    return device >= 0 && device < PRIMARIES ? atomic_load(&state.primary[device]) : NULL;
}

typedef CUresult primary_end(CUdevice device);

/* The memory goes with the last reference. */
static CUresult primary_release(CUdevice device, primary_end *release)
{
    unsigned int flags;
    int active;
    pthread_mutex_lock(&state.retaining);
    uint64_t serial = atomic_fetch_add(&state.context_ends, 1);
    CUresult result = release(device);
    if (result == CUDA_SUCCESS && cuda()->cuDevicePrimaryCtxGetState(device, &flags, &active) == CUDA_SUCCESS &&
        !active) {
        settle(primary_of(device), serial);
        meters_end(primary_of(device));
    }
    pthread_mutex_unlock(&state.retaining);
    return result;
}

/* It goes whoever holds references. */
static CUresult primary_reset(CUdevice device, primary_end *reset)
{
    pthread_mutex_lock(&state.retaining);
    uint64_t serial = atomic_fetch_add(&state.context_ends, 1);
    meters_end(primary_of(device));
    CUresult result = reset(device);
    if (result == CUDA_SUCCESS)
        settle(primary_of(device), serial);
    pthread_mutex_unlock(&state.retaining);
    return result;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    return primary_release(device, cuda()->cuDevicePrimaryCtxRelease_v2);
}

EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device)
{
    return primary_release(device, cuda()->cuDevicePrimaryCtxRelease);
}

EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    return primary_reset(device, cuda()->cuDevicePrimaryCtxReset_v2);
}

EXPORT CUresult cuDevicePrimaryCtxReset(CUdevice device)
{
    return primary_reset(device, cuda()->cuDevicePrimaryCtxReset);
}
