/* Chapter "Stream Ordered Memory Allocator": allocations and frees. Streams are not played here: what is asked happens
 * at once, only that a pool gives memory back no earlier than at a synchronisation. */
#include "cuda.h"

static CUresult allocate(CUdeviceptr *pointer, uint64_t bytes, CUstream stream)
{
    CUmemoryPool pool;
    CUresult result = check_context();
    CUgraph graph = captured(stream);
    if (result == CUDA_SUCCESS && graph)
        return graph_add_allocation(graph, pointer, bytes, stream_context(stream)->card);
    if (result == CUDA_SUCCESS)
        result = cuDeviceGetMemPool(&pool, stream_context(stream)->card);
    return result == CUDA_SUCCESS ? pool_allocate(pointer, bytes, pool) : result;
}

static CUresult allocate_from(CUdeviceptr *pointer, uint64_t bytes, CUmemoryPool pool, CUstream stream)
{
    CUresult result = check_context();
    CUgraph graph = captured(stream);
    if (result == CUDA_SUCCESS && !pool)
        result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS && graph)
        return graph_add_allocation(graph, pointer, bytes, pool->card);
    return result == CUDA_SUCCESS ? pool_allocate(pointer, bytes, pool) : result;
}

static CUresult release(CUdeviceptr pointer, CUstream stream)
{
    CUgraph graph = captured(stream);
    return graph ? graph_add_free(graph, pointer) : memory_release(pointer);
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    return allocate(pointer, bytes, stream);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    return allocate(pointer, bytes, stream);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    return allocate_from(pointer, bytes, pool, stream);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    return allocate_from(pointer, bytes, pool, stream);
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    return release(pointer, stream);
}

EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    return release(pointer, stream);
}
