/* Chapter "Stream Ordered Memory Allocator". Streams are not played: what is asked happens at once. */
#include "cuda.h"

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return memory_allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)pool;
    (void)stream;
    return memory_allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)pool;
    (void)stream;
    return memory_allocate(pointer, bytes);
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
