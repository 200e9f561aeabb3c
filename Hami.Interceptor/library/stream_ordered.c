/* Chapter "Stream Ordered Memory Allocator": allocations and frees. What is charged is the growth of the pool they come
 * from (pools.c). */
#define _GNU_SOURCE
#include "account.h"
#include "device.h"
#include "driver.h"
#include "memory.h"
#include "pools.h"
#include "streams.h"

/* One call, whatever its variant. */
struct request {
    CUdeviceptr *pointer;
    size_t bytes;
    CUmemoryPool pool;
    CUstream stream;
    bool from_pool, per_thread;
};

static CUresult ask_driver(const struct request *r)
{
    if (r->from_pool && r->per_thread)
        return cuda()->cuMemAllocFromPoolAsync_ptsz(r->pointer, r->bytes, r->pool, r->stream);
    if (r->from_pool)
        return cuda()->cuMemAllocFromPoolAsync(r->pointer, r->bytes, r->pool, r->stream);
    if (r->per_thread)
        return cuda()->cuMemAllocAsync_ptsz(r->pointer, r->bytes, r->stream);
    return cuda()->cuMemAllocAsync(r->pointer, r->bytes, r->stream);
}

static void give_back_to_driver(const struct request *r)
{
    if (r->per_thread)
        cuda()->cuMemFreeAsync_ptsz(*r->pointer, r->stream);
    else
        cuda()->cuMemFreeAsync(*r->pointer, r->stream);
    *r->pointer = 0;
}

/* Then the memory belongs to a graph, and there is none before the graph is launched. */
static bool is_captured(const struct request *r)
{
    int status = CU_STREAM_CAPTURE_STATUS_NONE;
    CUresult result = r->per_thread ? cuda()->cuStreamIsCapturing_ptsz(r->stream, &status)
                                    : cuda()->cuStreamIsCapturing(r->stream, &status);
    return result == CUDA_SUCCESS && status == CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

/* As far as the driver says. */
static struct pool *pool_truly(const struct request *r, struct pool *expected)
{
    CUmemoryPool handle;
    if (r->from_pool ||
        cuda()->cuPointerGetAttribute(&handle, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, *r->pointer) != CUDA_SUCCESS)
        return expected;
    return handle ? pool_of(handle) : NULL;
}

/* On a driver that does not say what a pool keeps: what is asked for, on the card where it lies. */
static CUresult allocate_as_asked(const struct request *r)
{
    CUdevice device;
    unsigned int account;
    struct charge charge;
    CUresult result = charge_open(&charge, r->bytes);
    if (result != CUDA_SUCCESS)
        return result;
    charge.context = 0; /* it belongs to the pool */
    result = ask_driver(r);
    if (result != CUDA_SUCCESS ||
        cuda()->cuPointerGetAttribute(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, *r->pointer) != CUDA_SUCCESS ||
        account_of_cuda(device, &account) != CUDA_SUCCESS || account == charge.account)
        return charge_close(&charge, result, *r->pointer);
    if (!account_reserve(account, charge.bytes)) {
        give_back_to_driver(r);
        return charge_close(&charge, CUDA_ERROR_OUT_OF_MEMORY, 0);
    }
    account_return(charge.account, charge.bytes);
    charge.account = account;
    return charge_close(&charge, result, *r->pointer);
}

/* The card of the stream, which need not be the current one where there are several; -1 without a context. */
static CUdevice device_of(const struct request *r)
{
    CUdevice device;
    CUcontext context, now;
    bool is_elsewhere = cards_visible() > 1 && cuda()->cuCtxGetCurrent(&now) == CUDA_SUCCESS &&
                        (context = stream_context(r->stream, r->per_thread)) != now &&
                        cuda()->cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
    if (cuda()->cuCtxGetDevice(&device) != CUDA_SUCCESS)
        device = -1;
    if (is_elsewhere)
        cuda()->cuCtxPopCurrent_v2(&context);
    return device;
}

/* False: the pool grew beyond the limit, which was undone. */
static bool allocate_from(struct pool *expected, CUdevice device, const struct request *r, CUresult *result)
{
    struct promise promise = {0, 0};
    if (expected->on_card && !pool_promise(expected, r->bytes, &promise)) {
        *result = CUDA_ERROR_OUT_OF_MEMORY;
        return true;
    }
    *result = ask_driver(r);
    struct pool *pool = *result == CUDA_SUCCESS ? pool_truly(r, expected) : NULL;
    if (pool != expected) { /* the stream is another device's, or the device has another pool now, or nothing came */
        if (expected->on_card)
            pool_keep(expected, &promise, false);
        promise = (struct promise){0, 0};
    }
    if (!pool || !pool->on_card)
        return true;
    if (!r->from_pool)
        pool_expect(device, pool);
    if (pool_keep(pool, &promise, true)) {
        charge_pooled(*r->pointer, pool);
        return true;
    }
    give_back_to_driver(r);
    pool_drop(pool);
    pool_trim(pool);
    *result = CUDA_ERROR_OUT_OF_MEMORY;
    return false;
}

static CUresult allocate(const struct request *r)
{
    CUdevice device = -1;
    CUresult result;
    if (!r->pointer || r->bytes == 0 || is_captured(r))
        return ask_driver(r);
    if (!r->from_pool && (device = device_of(r)) < 0)
        return ask_driver(r); /* it has no context either */
    struct pool *expected = !r->from_pool ? pool_expected(device) : r->pool ? pool_of(r->pool) : NULL;
    if (!expected || !expected->weighed)
        return allocate_as_asked(r);
    /* What lay unused may have been in pieces; given back, it is room to grow. */
    if (!allocate_from(expected, device, r, &result))
        allocate_from(expected, device, r, &result);
    return result;
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    return allocate(&(struct request){.pointer = pointer, .bytes = bytes, .stream = stream});
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    return allocate(&(struct request){.pointer = pointer, .bytes = bytes, .stream = stream, .per_thread = true});
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    return allocate(
        &(struct request){.pointer = pointer, .bytes = bytes, .pool = pool, .stream = stream, .from_pool = true});
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    return allocate(&(struct request){
        .pointer = pointer, .bytes = bytes, .pool = pool, .stream = stream, .from_pool = true, .per_thread = true});
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream)
{
    struct allocation lifted;
    bool known = charge_lift(&lifted, pointer);
    return charge_settle(known, &lifted, cuda()->cuMemFreeAsync(pointer, stream));
}

EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream)
{
    struct allocation lifted;
    bool known = charge_lift(&lifted, pointer);
    return charge_settle(known, &lifted, cuda()->cuMemFreeAsync_ptsz(pointer, stream));
}
