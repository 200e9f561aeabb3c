/* Chapter "Stream Ordered Memory Allocator": charged by what is asked for. What a pool keeps after a free is not seen.
 */
#define _GNU_SOURCE
#include "driver.h"
#include "memory.h"

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAllocAsync(pointer, bytes, stream);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    charge.context = 0; /* it belongs to the pool */
    result = cuda()->cuMemAllocAsync(pointer, bytes, stream);
    return charge_close(&charge, result, *pointer);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAllocAsync_ptsz(pointer, bytes, stream);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    charge.context = 0; /* it belongs to the pool */
    result = cuda()->cuMemAllocAsync_ptsz(pointer, bytes, stream);
    return charge_close(&charge, result, *pointer);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAllocFromPoolAsync(pointer, bytes, pool, stream);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    charge.context = 0; /* it belongs to the pool */
    result = cuda()->cuMemAllocFromPoolAsync(pointer, bytes, pool, stream);
    return charge_close(&charge, result, *pointer);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    if (!pointer || bytes == 0)
        return cuda()->cuMemAllocFromPoolAsync_ptsz(pointer, bytes, pool, stream);
    struct charge charge;
    CUresult result = charge_open(&charge, bytes);
    if (result != CUDA_SUCCESS)
        return result;
    charge.context = 0; /* it belongs to the pool */
    result = cuda()->cuMemAllocFromPoolAsync_ptsz(pointer, bytes, pool, stream);
    return charge_close(&charge, result, *pointer);
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
