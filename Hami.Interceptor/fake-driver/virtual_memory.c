/* Chapter "Virtual Memory Management". */
#include "cuda.h"

#include <stdlib.h>

struct mapping {
    struct mapping *next;
    uint64_t address, bytes, handle;
};

static struct mapping *mappings;

void mappings_forget(void)
{
    mappings = NULL;
}

EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop,
                            unsigned long long flags)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    bool on_host = prop && prop->location.type == CU_MEM_LOCATION_TYPE_HOST;
    if (!handle || !prop || bytes == 0 || flags != 0 ||
        (!on_host && prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE))
        return CUDA_ERROR_INVALID_VALUE;
    if (!on_host)
        result = check_device(prop->location.id);
    uint64_t address;
    if (result == CUDA_SUCCESS) /* the host's memory is not counted here */
        result = block_add(&address, on_host ? 0 : bytes, on_host ? 0 : prop->location.id, NULL);
    if (result == CUDA_SUCCESS)
        *handle = address;
    return result;
}

EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
    INJECT();
    CUresult result = check_initialised();
    return result == CUDA_SUCCESS ? block_remove(handle, true) : result;
}

EXPORT CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr wish,
                                    unsigned long long flags)
{
    (void)alignment;
    (void)wish;
    (void)flags;
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!address || bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    *address = address_take(bytes);
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                         unsigned long long flags)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (bytes == 0 || offset != 0 || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    struct mapping *mapping = malloc(sizeof *mapping);
    if (!mapping)
        abort();
    pthread_mutex_lock(&driver.lock);
    result = block_hold(handle);
    if (result == CUDA_SUCCESS) {
        *mapping = (struct mapping){.next = mappings, .address = address, .bytes = bytes, .handle = handle};
        mappings = mapping;
    }
    pthread_mutex_unlock(&driver.lock);
    if (result != CUDA_SUCCESS)
        free(mapping);
    return result;
}

/* One mapping that begins there; 0 when there is none. */
static uint64_t unmap_one(uint64_t address)
{
    uint64_t bytes = 0, handle = 0;
    pthread_mutex_lock(&driver.lock);
    for (struct mapping **place = &mappings; *place; place = &(*place)->next)
        if ((*place)->address == address) {
            struct mapping *mapping = *place;
            bytes = mapping->bytes;
            handle = mapping->handle;
            *place = mapping->next;
            free(mapping);
            break;
        }
    pthread_mutex_unlock(&driver.lock);
    if (bytes)
        block_remove(handle, true);
    return bytes;
}

EXPORT CUresult cuMemUnmap(CUdeviceptr address, size_t bytes)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    for (uint64_t done = 0, step; done < bytes; done += step) {
        step = unmap_one(address + done);
        if (step == 0)
            return CUDA_ERROR_INVALID_VALUE;
    }
    return bytes ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    result = CUDA_ERROR_INVALID_VALUE;
    uint64_t wanted = (uint64_t)(uintptr_t)address;
    pthread_mutex_lock(&driver.lock);
    for (struct mapping *mapping = mappings; handle && mapping; mapping = mapping->next)
        if (wanted - mapping->address < mapping->bytes) {
            *handle = mapping->handle;
            result = block_hold(mapping->handle);
            break;
        }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

/* Between handles of this process only: what is shared is the handle's own number. */
EXPORT CUresult cuMemExportToShareableHandle(void *shared, CUmemGenericAllocationHandle handle, int type,
                                             unsigned long long flags)
{
    INJECT();
    if (!shared || type != 1 || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    CUresult result = block_hold(handle);
    pthread_mutex_unlock(&driver.lock);
    if (result != CUDA_SUCCESS)
        return result;
    *(int *)shared = (int)((handle - UINT64_C(0x7f0000000000)) >>
                           9); /* its file stays open, and keeps the memory, until the import takes it */
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shared, int type)
{
    INJECT();
    if (!handle || type != 1)
        return CUDA_ERROR_INVALID_VALUE;
    *handle = UINT64_C(0x7f0000000000) + ((uint64_t)(uintptr_t)shared << 9);
    return CUDA_SUCCESS;
}
