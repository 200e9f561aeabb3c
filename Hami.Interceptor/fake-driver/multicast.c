/* Chapter "Multicast Object Management". */
#include "cuda.h"

#include <stdlib.h>

struct binding {
    struct binding *next;
    uint64_t object, memory;
    int card;
    size_t offset;
};

static struct binding *bindings;

void multicast_forget(void)
{
    bindings = NULL;
}

/* All of them where the card is -1. */
static unsigned int unbind(uint64_t object, int card, size_t offset)
{
    unsigned int count = 0;
    pthread_mutex_lock(&driver.lock);
    for (struct binding **place = &bindings; *place;) {
        struct binding *binding = *place;
        if (binding->object != object || (card >= 0 && (binding->card != card || binding->offset != offset))) {
            place = &binding->next;
            continue;
        }
        *place = binding->next;
        pthread_mutex_unlock(&driver.lock);
        block_remove(binding->memory, true);
        free(binding);
        pthread_mutex_lock(&driver.lock);
        place = &bindings;
        count++;
    }
    pthread_mutex_unlock(&driver.lock);
    return count;
}

void multicast_end(uint64_t handle)
{
    unbind(handle, -1, 0);
}

EXPORT CUresult cuMulticastCreate(CUmemGenericAllocationHandle *multicast, const CUmulticastObjectProp *prop)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!multicast || !prop || prop->numDevices == 0 || prop->size == 0)
        return CUDA_ERROR_INVALID_VALUE;
    uint64_t address;
    result = block_add(&address, 0, 0, NULL);
    if (result == CUDA_SUCCESS)
        *multicast = address;
    return result;
}

static CUresult bind(uint64_t object, size_t offset, uint64_t memory)
{
    int card;
    CUresult result = block_card(memory, &card);
    if (result != CUDA_SUCCESS)
        return result;
    struct binding *binding = malloc(sizeof *binding);
    if (!binding)
        abort();
    pthread_mutex_lock(&driver.lock);
    result = block_hold(memory);
    if (result == CUDA_SUCCESS) {
        *binding = (struct binding){bindings, object, memory, card, offset};
        bindings = binding;
    }
    pthread_mutex_unlock(&driver.lock);
    if (result != CUDA_SUCCESS)
        free(binding);
    return result;
}

EXPORT CUresult cuMulticastBindMem(CUmemGenericAllocationHandle multicast, size_t offset,
                                   CUmemGenericAllocationHandle memory, size_t memory_offset, size_t bytes,
                                   unsigned long long flags)
{
    INJECT();
    return memory_offset || bytes == 0 || flags ? CUDA_ERROR_INVALID_VALUE : bind(multicast, offset, memory);
}

EXPORT CUresult cuMulticastBindMem_v2(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset,
                                      CUmemGenericAllocationHandle memory, size_t memory_offset, size_t bytes,
                                      unsigned long long flags)
{
    (void)device;
    return cuMulticastBindMem(multicast, offset, memory, memory_offset, bytes, flags);
}

EXPORT CUresult cuMulticastBindAddr(CUmemGenericAllocationHandle multicast, size_t offset, CUdeviceptr address,
                                    size_t bytes, unsigned long long flags)
{
    INJECT();
    CUmemGenericAllocationHandle memory;
    CUresult result = cuMemRetainAllocationHandle(&memory, (void *)(uintptr_t)address);
    if (result != CUDA_SUCCESS)
        return result;
    result = cuMulticastBindMem(multicast, offset, memory, 0, bytes, flags);
    block_remove(memory, true);
    return result;
}

EXPORT CUresult cuMulticastBindAddr_v2(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset,
                                       CUdeviceptr address, size_t bytes, unsigned long long flags)
{
    (void)device;
    return cuMulticastBindAddr(multicast, offset, address, bytes, flags);
}

EXPORT CUresult cuMulticastUnbind(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset, size_t bytes)
{
    INJECT();
    (void)bytes;
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    return unbind(multicast, device, offset) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
