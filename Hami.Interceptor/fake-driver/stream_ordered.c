/* Chapter "Stream Ordered Memory Allocator". Streams are not played: what is asked happens at once. */
#include "cuda.h"

EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
    static struct CUmemPoolHandle_st pools[CARDS_MAX];
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!pool)
        return CUDA_ERROR_INVALID_VALUE;
    pools[device].card = device;
    *pool = &pools[device];
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes, NULL);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes, NULL);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes, pool);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes, pool);
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_release(pointer);
}

EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_release(pointer);
}
