/* Chapter "Stream Ordered Memory Allocator": charged by what is asked for. What a pool keeps after a free is not seen.
 */
#define _GNU_SOURCE
#include "account.h"
#include "device.h"
#include "driver.h"
#include "memory.h"

typedef CUresult free_function(CUdeviceptr pointer, CUstream stream);

/* The memory lies on the card of the pool or the stream, which need not be the current one: the charge follows it. */
static CUresult pool_close(struct charge *charge, CUresult result, CUdeviceptr pointer, CUstream stream,
                           free_function *free_pointer)
{
    CUdevice device;
    unsigned int account;
    charge->context = 0; /* it belongs to the pool */
    if (result != CUDA_SUCCESS ||
        cuda()->cuPointerGetAttribute(&device, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, pointer) != CUDA_SUCCESS ||
        account_of_cuda(device, &account) != CUDA_SUCCESS || account == charge->account)
        return charge_close(charge, result, pointer);
    if (!account_reserve(account, charge->bytes)) {
        free_pointer(pointer, stream);
        return charge_close(charge, CUDA_ERROR_OUT_OF_MEMORY, 0);
    }
    account_return(charge->account, charge->bytes);
    charge->account = account;
    return charge_close(charge, result, pointer);
}

#define ALLOCATE(symbol, free_symbol, ...)                                                                             \
    if (!pointer || bytes == 0)                                                                                        \
        return cuda()->symbol(__VA_ARGS__);                                                                            \
    struct charge charge;                                                                                              \
    CUresult result = charge_open(&charge, bytes);                                                                     \
    if (result != CUDA_SUCCESS)                                                                                        \
        return result;                                                                                                 \
    result = cuda()->symbol(__VA_ARGS__);                                                                              \
    return pool_close(&charge, result, *pointer, stream, cuda()->free_symbol)

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    ALLOCATE(cuMemAllocAsync, cuMemFreeAsync, pointer, bytes, stream);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    ALLOCATE(cuMemAllocAsync_ptsz, cuMemFreeAsync_ptsz, pointer, bytes, stream);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    ALLOCATE(cuMemAllocFromPoolAsync, cuMemFreeAsync, pointer, bytes, pool, stream);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    ALLOCATE(cuMemAllocFromPoolAsync_ptsz, cuMemFreeAsync_ptsz, pointer, bytes, pool, stream);
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
