/* Chapters "Context Management" and "Primary Context Management". */
#include "cuda.h"

#include <stdlib.h>

_Thread_local CUcontext current;

/* HAMI_FAKE_CONTEXT: what a context takes of its card, in MiB. */
static uint64_t context_bytes(void)
{
    const char *text = getenv("HAMI_FAKE_CONTEXT");
    return text ? strtoull(text, NULL, 10) << 20 : 0;
}

static bool context_take(int card)
{
    if (context_bytes() != 0 && !node_take(&driver.cards[card], context_bytes()))
        return false;
    if (driver.cards[card].is_instance)
        node_context(&driver.cards[card], 1);
    return true;
}

static void limits_give(CUcontext context)
{
    uint64_t bytes = context->heap_bytes + context->fifo_bytes;
    context->heap_bytes = context->fifo_bytes = 0;
    if (bytes != 0)
        node_give(&driver.cards[context->card], bytes);
}

static void context_give(CUcontext context)
{
    limits_give(context);
    if (driver.cards[context->card].is_instance)
        node_context(&driver.cards[context->card], -1);
    if (context_bytes() != 0)
        node_give(&driver.cards[context->card], context_bytes());
}

/* The device's heap and its buffer for printf, of which every context has a little. Here they are taken at once. */
enum { HEAP_BYTES = 8 << 20, FIFO_BYTES = 1 << 20, STACK_SIZE = 1024 };

static uint64_t *limit_of(int limit, uint64_t *least_bytes)
{
    *least_bytes = limit == CU_LIMIT_MALLOC_HEAP_SIZE ? HEAP_BYTES : FIFO_BYTES;
    return limit == CU_LIMIT_MALLOC_HEAP_SIZE   ? &current->heap_bytes
           : limit == CU_LIMIT_PRINTF_FIFO_SIZE ? &current->fifo_bytes
                                                : NULL;
}

EXPORT CUresult cuCtxSetLimit(int limit, size_t value)
{
    INJECT();
    uint64_t least_bytes;
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    uint64_t *beyond = limit_of(limit, &least_bytes);
    if (!beyond)
        return limit == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    uint64_t wanted = value > least_bytes ? value - least_bytes : 0;
    if (wanted > *beyond && !node_take(&driver.cards[current->card], wanted - *beyond))
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (wanted < *beyond)
        node_give(&driver.cards[current->card], *beyond - wanted);
    *beyond = wanted;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetLimit(size_t *value, int limit)
{
    INJECT();
    uint64_t least_bytes;
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    uint64_t *beyond = limit_of(limit, &least_bytes);
    if (!value || (!beyond && limit != 0))
        return CUDA_ERROR_INVALID_VALUE;
    *value = beyond ? least_bytes + *beyond : STACK_SIZE;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
    INJECT();
    (void)flags;
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    CUcontext created = calloc(1, sizeof *created);
    if (!created || !context_take(device)) {
        free(created);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    created->card = device;
    *context = current = created;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate_v3(CUcontext *context, void *affinities, int count, unsigned int flags, CUdevice device)
{
    (void)affinities;
    (void)count;
    return cuCtxCreate_v2(context, flags, device);
}

EXPORT CUresult cuCtxCreate_v4(CUcontext *context, void *parameters, unsigned int flags, CUdevice device)
{
    (void)parameters;
    return cuCtxCreate_v2(context, flags, device);
}

EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!context || context->primary || context->destroyed)
        return CUDA_ERROR_INVALID_CONTEXT;
    blocks_remove(context);
    arrays_remove(context);
    context_give(context);
    context->destroyed = true; /* kept: other threads may still have it current */
    if (current == context)
        current = NULL;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (context && context->destroyed)
        return CUDA_ERROR_INVALID_CONTEXT;
    current = context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *context)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    *context = current;
    return CUDA_SUCCESS;
}

static _Thread_local CUcontext pushed[16];
static _Thread_local int depth;

EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!context || context->destroyed || depth == 16)
        return CUDA_ERROR_INVALID_CONTEXT;
    pushed[depth++] = current;
    current = context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!current)
        return CUDA_ERROR_INVALID_CONTEXT;
    if (context)
        *context = current;
    current = depth > 0 ? pushed[--depth] : NULL;
    return CUDA_SUCCESS;
}

CUresult check_context(void)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    bool usable = current && !current->destroyed && !(current->primary && current->references == 0);
    return usable ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

EXPORT CUresult cuCtxGetDevice(CUdevice *device)
{
    INJECT();
    CUresult result = check_context();
    return result == CUDA_SUCCESS ? int_out(device, current->card) : result;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    bool first = driver.primary[device].references == 0;
    if (first && !context_take(device)) {
        result = CUDA_ERROR_OUT_OF_MEMORY;
    } else {
        driver.primary[device].references++;
        *context = &driver.primary[device];
    }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    pthread_mutex_lock(&driver.lock);
    bool held = driver.primary[device].references > 0;
    bool last = held && --driver.primary[device].references == 0;
    pthread_mutex_unlock(&driver.lock);
    if (last) {
        blocks_remove(&driver.primary[device]);
        arrays_remove(&driver.primary[device]);
        context_give(&driver.primary[device]);
    }
    return held ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    CUresult result = check_device(device);
    if (result == CUDA_SUCCESS) {
        blocks_remove(&driver.primary[device]);
        arrays_remove(&driver.primary[device]);
        limits_give(&driver.primary[device]);
    }
    return result;
}

EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags)
        *flags = 0;
    if (active)
        *active = driver.primary[device].references > 0;
    return CUDA_SUCCESS;
}
