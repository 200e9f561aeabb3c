/* Only cuMemAlloc and cuMemAllocPitch: plain memory that a program frees with cuMemFree, for which managed memory can
 * stand. Pools and cuMemCreate promise handles and sharing that it does not have, arrays are laid out for the card. */
#define _GNU_SOURCE
#include "oversubscribe.h"

#include "driver.h"

CUresult oversubscribe(CUresult result, CUdeviceptr *pointer, size_t bytes)
{
    if (result != CUDA_ERROR_OUT_OF_MEMORY || !state.settings.oversubscribe)
        return result;
    CUdeviceptr managed;
    if (cuda()->cuMemAllocManaged(&managed, bytes, CU_MEM_ATTACH_GLOBAL) != CUDA_SUCCESS)
        return result;
    *pointer = managed;
    return CUDA_SUCCESS;
}

CUresult oversubscribe_pitch(CUresult result, CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height,
                             unsigned int element)
{
    size_t row, bytes;
    bool legal = element == 4 || element == 8 || element == 16; /* CUDA Driver API, cuMemAllocPitch */
    if (!legal || __builtin_add_overflow(width, 511, &row) ||
        __builtin_mul_overflow(row & ~(size_t)511, height, &bytes))
        return result;
    result = oversubscribe(result, pointer, bytes);
    if (result == CUDA_SUCCESS)
        *pitch = row & ~(size_t)511;
    return result;
}
