/* Chapter "Multicast Object Management". An object takes no memory of a card itself, but keeps what is bound to it. */
#define _GNU_SOURCE
#include "account.h"
#include "device.h"
#include "driver.h"
#include "virtual_memory.h"

/* In state.bindings: pointer: key_of; owner: the object's block; bytes: the number of the bound block. What is unbound
 * must have been bound at the very same place, one for each device. */
static uint64_t key_of(uint64_t object, unsigned int account, uint64_t offset)
{
    uint64_t key = (object << 8 ^ account) * UINT64_C(0x9e3779b97f4a7c15);
    key = (key ^ key >> 29 ^ offset) * UINT64_C(0xbf58476d1ce4e5b9);
    return (key ^ key >> 32) | 1;
}

static void bind(CUmemGenericAllocationHandle multicast, uint64_t block_number, uint64_t offset)
{
    struct allocation block, former;
    uint64_t object = block_of_handle(multicast);
    if (object == 0 || !allocations_find(&state.blocks, block_number, &block))
        return; /* the object, or the memory, is another process's */
    struct allocation binding = {
        .pointer = key_of(object, block.account, offset), .owner = object, .bytes = block_number};
    block_hold(block_number);
    if (allocations_put(&state.bindings, &binding, &former))
        block_drop(former.bytes);
}

EXPORT CUresult cuMulticastCreate(CUmemGenericAllocationHandle *multicast, const CUmulticastObjectProp *prop)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMulticastCreate(multicast, prop);
    if (result == CUDA_SUCCESS && multicast)
        handle_hold(*multicast, block_new(0, 0));
    pthread_mutex_unlock(&state.mapping);
    return result;
}

#define BIND(block, symbol, ...)                                                                                       \
    pthread_mutex_lock(&state.mapping);                                                                                \
    CUresult result = cuda()->symbol(__VA_ARGS__);                                                                     \
    if (result == CUDA_SUCCESS)                                                                                        \
        bind(multicast, block, offset);                                                                                \
    pthread_mutex_unlock(&state.mapping);                                                                              \
    return result

static uint64_t block_around(CUdeviceptr address)
{
    struct allocation mapping;
    return allocations_around(&state.mappings, address, &mapping) ? mapping.owner : 0;
}

EXPORT CUresult cuMulticastBindMem(CUmemGenericAllocationHandle multicast, size_t offset,
                                   CUmemGenericAllocationHandle memory, size_t memory_offset, size_t bytes,
                                   unsigned long long flags)
{
    BIND(block_of_handle(memory), cuMulticastBindMem, multicast, offset, memory, memory_offset, bytes, flags);
}

EXPORT CUresult cuMulticastBindMem_v2(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset,
                                      CUmemGenericAllocationHandle memory, size_t memory_offset, size_t bytes,
                                      unsigned long long flags)
{
    BIND(block_of_handle(memory), cuMulticastBindMem_v2, multicast, device, offset, memory, memory_offset, bytes,
         flags);
}

EXPORT CUresult cuMulticastBindAddr(CUmemGenericAllocationHandle multicast, size_t offset, CUdeviceptr address,
                                    size_t bytes, unsigned long long flags)
{
    BIND(block_around(address), cuMulticastBindAddr, multicast, offset, address, bytes, flags);
}

EXPORT CUresult cuMulticastBindAddr_v2(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset,
                                       CUdeviceptr address, size_t bytes, unsigned long long flags)
{
    BIND(block_around(address), cuMulticastBindAddr_v2, multicast, device, offset, address, bytes, flags);
}

EXPORT CUresult cuMulticastUnbind(CUmemGenericAllocationHandle multicast, CUdevice device, size_t offset, size_t bytes)
{
    unsigned int account;
    struct allocation binding;
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMulticastUnbind(multicast, device, offset, bytes);
    if (result == CUDA_SUCCESS && account_of_cuda(device, &account) == CUDA_SUCCESS &&
        allocations_take(&state.bindings, key_of(block_of_handle(multicast), account, offset), &binding))
        block_drop(binding.bytes);
    pthread_mutex_unlock(&state.mapping);
    return result;
}
