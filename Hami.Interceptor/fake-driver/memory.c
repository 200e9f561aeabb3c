/* Chapter "Memory Management". */
#include "cuda.h"

CUresult memory_allocate(CUdeviceptr *pointer, uint64_t bytes)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!pointer || bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    uint64_t address;
    result = block_add(&address, bytes, current->card, current);
    if (result == CUDA_SUCCESS)
        *pointer = address;
    return result;
}

CUresult memory_release(CUdeviceptr pointer)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    return pointer == 0 ? CUDA_SUCCESS : block_remove(pointer, false);
}

/* Memory by a way that nobody knows of, as graphics or a private table of the driver give it; tests call this. */
EXPORT CUresult hami_fake_take(size_t bytes)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    return node_take(&driver.cards[current->card], bytes) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes)
{
    INJECT();
    return memory_allocate(pointer, bytes);
}

/* No 32-bit address is left to give, as on today's cards. */
EXPORT CUresult cuMemAlloc(CUdeviceptr_v1 *pointer, unsigned int bytes)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    return pointer && bytes ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
}

/* What the card has no room for lies on the host. */
EXPORT CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t bytes, unsigned int flags)
{
    INJECT();
    (void)flags;
    CUresult result = memory_allocate(pointer, bytes);
    uint64_t address;
    if (result != CUDA_ERROR_OUT_OF_MEMORY)
        return result;
    result = block_add(&address, 0, current->card, current);
    *pointer = address;
    return result;
}

EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height,
                                   unsigned int element)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!pointer || !pitch || (element != 4 && element != 8 && element != 16))
        return CUDA_ERROR_INVALID_VALUE;
    size_t row = (width + 511) & ~(size_t)511;
    result = memory_allocate(pointer, row * height);
    if (result == CUDA_SUCCESS)
        *pitch = row;
    return result;
}

/* No 32-bit address is left for it either. */
EXPORT CUresult cuMemAllocPitch(CUdeviceptr_v1 *pointer, unsigned int *pitch, unsigned int width, unsigned int height,
                                unsigned int element)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    bool valid = pointer && pitch && width && height && (element == 4 || element == 8 || element == 16);
    return valid ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    INJECT();
    CUresult result = memory_release(pointer);
    if (result == CUDA_SUCCESS && pointer != 0)
        pools_synchronise();
    return result;
}

EXPORT CUresult cuMemFree(CUdeviceptr_v1 pointer)
{
    return memory_release(pointer);
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!free_bytes || !total_bytes)
        return CUDA_ERROR_INVALID_VALUE;
    const struct card *card = &driver.cards[current->card];
    *total_bytes = card->memory_bytes;
    *free_bytes = card->memory_bytes - node_used(card);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemGetInfo(unsigned int *free_bytes, unsigned int *total_bytes)
{
    size_t free_all, total_all;
    CUresult result = cuMemGetInfo_v2(&free_all, &total_all);
    if (result == CUDA_SUCCESS && (!free_bytes || !total_bytes))
        return CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) {
        *free_bytes = size_v1(free_all);
        *total_bytes = size_v1(total_all);
    }
    return result;
}

/* Of the many attributes the card and the pool are played. */
EXPORT CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr pointer)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (value && attribute == CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE)
        return block_pool(pointer, value);
    if (!value || attribute != CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
        return CUDA_ERROR_INVALID_VALUE;
    return block_card(pointer, value);
}
