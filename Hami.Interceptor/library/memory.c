/* Chapter "Memory Management": reserve, call, keep or give back. */
#define _GNU_SOURCE
#include "memory.h"

#include "account.h"
#include "device.h"
#include "driver.h"
#include "oversubscribe.h"
#include "pools.h"
#include "settings.h"

CUresult charge_open(struct charge *charge, uint64_t bytes)
{
    CUdevice device;
    CUresult result = cuda()->cuCtxGetDevice(&device);
    if (result == CUDA_SUCCESS)
        result = account_of_cuda(device, &charge->account);
    if (result != CUDA_SUCCESS)
        return result;
    charge->bytes = bytes;
    CUcontext context;
    charge->context = cuda()->cuCtxGetCurrent(&context) == CUDA_SUCCESS ? (uint64_t)(uintptr_t)context : 0;
    return account_reserve(charge->account, bytes) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static void give_back(const struct allocation *entry)
{
    if (entry->pool)
        pool_drop(entry->pool);
    else
        account_return(entry->account, entry->bytes);
}

static void remember(const struct allocation *entry)
{
    struct allocation former;
    if (allocations_put(&state.pointers, entry, &former))
        give_back(&former);
}

void charge_pooled(CUdeviceptr pointer, struct pool *pool)
{
    remember(&(struct allocation){.pointer = pointer, .pool = pool});
}

CUresult charge_close(const struct charge *charge, CUresult result, CUdeviceptr pointer)
{
    if (result != CUDA_SUCCESS) {
        account_return(charge->account, charge->bytes);
        return result;
    }
    remember(&(struct allocation){.pointer = pointer,
                                  .bytes = charge->bytes,
                                  .account = charge->account,
                                  .owner = charge->context,
                                  .serial = atomic_load(&state.context_ends)});
    return result;
}

bool charge_lift(struct allocation *lifted, CUdeviceptr pointer)
{
    return allocations_take(&state.pointers, pointer, lifted);
}

CUresult charge_settle(bool known, const struct allocation *lifted, CUresult result)
{
    if (known && result == CUDA_SUCCESS)
        give_back(lifted);
    else if (known)
        remember(lifted);
    return result;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAlloc_v2(pointer, bytes); /* the driver knows what to say */
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    result = oversubscribe(cuda()->cuMemAlloc_v2(pointer, bytes), pointer, bytes);
    return charge_close(&charge, result, *pointer);
}

EXPORT CUresult cuMemAlloc(CUdeviceptr_v1 *pointer, unsigned int bytes)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAlloc(pointer, bytes);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    result = cuda()->cuMemAlloc(pointer, bytes);
    return charge_close(&charge, result, *pointer);
}

EXPORT CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t bytes, unsigned int flags)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAllocManaged(pointer, bytes, flags);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    result = cuda()->cuMemAllocManaged(pointer, bytes, flags);
    return charge_close(&charge, result, *pointer);
}

/* The driver chooses the pitch, so only it knows the size. We reserve for rows of 512 bytes, what cards use today,
 * and correct that afterwards. */
static CUresult pitch_open(struct charge *charge, uint64_t width, uint64_t height)
{
    uint64_t row, bytes;
    if (__builtin_add_overflow(width, 511, &row) || __builtin_mul_overflow(row & ~UINT64_C(511), height, &bytes))
        bytes = UINT64_MAX;
    return charge_open(charge, bytes);
}

static CUresult pitch_close(struct charge *charge, uint64_t true_bytes, CUdeviceptr pointer)
{
    if (true_bytes > charge->bytes && !account_reserve(charge->account, true_bytes - charge->bytes)) {
        cuda()->cuMemFree_v2(pointer);
        return charge_close(charge, CUDA_ERROR_OUT_OF_MEMORY, 0);
    }
    if (true_bytes < charge->bytes)
        account_return(charge->account, charge->bytes - true_bytes);
    charge->bytes = true_bytes;
    return charge_close(charge, CUDA_SUCCESS, pointer);
}

EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height,
                                   unsigned int element)
{
    if (!pointer || !pitch || width == 0 || height == 0)
        return cuda()->cuMemAllocPitch_v2(pointer, pitch, width, height, element);
    struct charge charge;
    CUresult result = pitch_open(&charge, width, height);
    if (result != CUDA_SUCCESS)
        return result;
    result = cuda()->cuMemAllocPitch_v2(pointer, pitch, width, height, element);
    result = oversubscribe_pitch(result, pointer, pitch, width, height, element);
    if (result != CUDA_SUCCESS)
        return charge_close(&charge, result, 0);
    return pitch_close(&charge, (uint64_t)*pitch * height, *pointer);
}

EXPORT CUresult cuMemAllocPitch(CUdeviceptr_v1 *pointer, unsigned int *pitch, unsigned int width, unsigned int height,
                                unsigned int element)
{
    if (!pointer || !pitch || width == 0 || height == 0)
        return cuda()->cuMemAllocPitch(pointer, pitch, width, height, element);
    struct charge charge;
    CUresult result = pitch_open(&charge, width, height);
    if (result != CUDA_SUCCESS)
        return result;
    result = cuda()->cuMemAllocPitch(pointer, pitch, width, height, element);
    if (result != CUDA_SUCCESS)
        return charge_close(&charge, result, 0);
    return pitch_close(&charge, (uint64_t)*pitch * height, *pointer);
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    /* Forgotten before the driver frees: afterwards another thread may be given the same address. */
    struct allocation lifted;
    bool known = charge_lift(&lifted, pointer);
    return charge_settle(known, &lifted, cuda()->cuMemFree_v2(pointer));
}

EXPORT CUresult cuMemFree(CUdeviceptr_v1 pointer)
{
    struct allocation lifted;
    bool known = charge_lift(&lifted, pointer);
    return charge_settle(known, &lifted, cuda()->cuMemFree(pointer));
}

/* Bytes free and in all on the current device, as a card of the limit's size would say; false without a limit. */
static bool memory_granted(uint64_t *free_bytes, uint64_t *total_bytes)
{
    CUdevice device;
    unsigned int account;
    if (cuda()->cuCtxGetDevice(&device) != CUDA_SUCCESS || account_of_cuda(device, &account) != CUDA_SUCCESS)
        return false;
    uint64_t limit_bytes = account_limit(account);
    if (limit_bytes == LIMIT_NONE)
        return false;
    uint64_t used_bytes = account_used(account);
    *total_bytes = account_size(account, *total_bytes);
    *free_bytes = *total_bytes > used_bytes ? *total_bytes - used_bytes : 0;
    return true;
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    CUresult result = cuda()->cuMemGetInfo_v2(free_bytes, total_bytes);
    if (result != CUDA_SUCCESS || !free_bytes || !total_bytes)
        return result;
    uint64_t free_granted = *free_bytes, total_granted = *total_bytes;
    if (memory_granted(&free_granted, &total_granted)) {
        *free_bytes = free_granted;
        *total_bytes = total_granted;
    }
    return result;
}

EXPORT CUresult cuMemGetInfo(unsigned int *free_bytes, unsigned int *total_bytes)
{
    CUresult result = cuda()->cuMemGetInfo(free_bytes, total_bytes);
    if (result != CUDA_SUCCESS || !free_bytes || !total_bytes)
        return result;
    uint64_t free_granted = *free_bytes, total_granted = *total_bytes;
    if (memory_granted(&free_granted, &total_granted)) {
        *free_bytes = size_v1(free_granted);
        *total_bytes = size_v1(total_granted);
    }
    return result;
}
