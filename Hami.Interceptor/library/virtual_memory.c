/* Chapter "Virtual Memory Management". Physical memory lives as long as a handle or a mapping refers to it; the usual
 * program releases its handle right after mapping. A handle's number may come again while the memory lives on, so
 * blocks have numbers of our own. These calls are rare; one lock makes their books simple. */
#define _GNU_SOURCE
#include "account.h"
#include "device.h"
#include "driver.h"
#include "virtual_memory.h"

static void put(struct allocations *all, const struct allocation *entry)
{
    struct allocation former;
    allocations_put(all, entry, &former);
}

uint64_t block_new(unsigned int account, uint64_t bytes)
{
    struct allocation block = {.pointer = ++state.block_number, .bytes = bytes, .account = account};
    put(&state.blocks, &block);
    return block.pointer;
}

void block_hold(uint64_t number)
{
    struct allocation block;
    if (!allocations_take(&state.blocks, number, &block))
        return;
    block.references++;
    put(&state.blocks, &block);
}

static void bound_drop(const struct allocation *binding)
{
    block_drop(binding->bytes);
}

void block_drop(uint64_t number)
{
    struct allocation block;
    if (!allocations_take(&state.blocks, number, &block))
        return;
    if (--block.references > 0)
        put(&state.blocks, &block);
    else if (block.bytes > 0)
        account_return(block.account, block.bytes);
    else /* a multicast object lets go of what is bound to it */
        allocations_take_owned(&state.bindings, number, UINT64_MAX, bound_drop);
}

/* One more release is due for the handle, which stands for the block; 0 when it is not one of ours. */
void handle_hold(CUmemGenericAllocationHandle number, uint64_t block)
{
    struct allocation handle = {.pointer = number, .owner = block};
    if (allocations_take(&state.handles, number, &handle))
        block = handle.owner;
    handle.references++;
    if (block != 0) {
        put(&state.handles, &handle);
        block_hold(block);
    }
}

uint64_t block_of_handle(CUmemGenericAllocationHandle number)
{
    struct allocation handle;
    return allocations_find(&state.handles, number, &handle) ? handle.owner : 0;
}

EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop,
                            unsigned long long flags)
{
    unsigned int account;
    if (!handle || bytes == 0 || !prop || prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return cuda()->cuMemCreate(handle, bytes, prop, flags); /* no memory of a card, or the driver's error */
    CUresult result = account_of_cuda(prop->location.id, &account);
    if (result != CUDA_SUCCESS)
        return result; /* what cannot be charged is not given */
    if (!account_reserve(account, bytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    pthread_mutex_lock(&state.mapping);
    result = cuda()->cuMemCreate(handle, bytes, prop, flags);
    if (result == CUDA_SUCCESS) {
        handle_hold(*handle, block_new(account, bytes));
    } else {
        account_return(account, bytes);
    }
    pthread_mutex_unlock(&state.mapping);
    return result;
}

EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMemRelease(handle);
    struct allocation known;
    if (result == CUDA_SUCCESS && allocations_take(&state.handles, handle, &known)) {
        if (--known.references > 0)
            put(&state.handles, &known);
        block_drop(known.owner);
    }
    pthread_mutex_unlock(&state.mapping);
    return result;
}

EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMemRetainAllocationHandle(handle, address);
    struct allocation mapping = {.owner = 0};
    if (result == CUDA_SUCCESS && handle) {
        allocations_around(&state.mappings, (uint64_t)(uintptr_t)address, &mapping);
        handle_hold(*handle, mapping.owner);
    }
    pthread_mutex_unlock(&state.mapping);
    return result;
}

/* Memory that came from elsewhere is charged there; a handle known here needs one more release. */
EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shared, int type)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMemImportFromShareableHandle(handle, shared, type);
    if (result == CUDA_SUCCESS && handle)
        handle_hold(*handle, 0);
    pthread_mutex_unlock(&state.mapping);
    return result;
}

EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                         unsigned long long flags)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMemMap(address, bytes, offset, handle, flags);
    if (result == CUDA_SUCCESS) {
        struct allocation mapping = {.pointer = address, .bytes = bytes, .owner = block_of_handle(handle)};
        put(&state.mappings, &mapping);
        block_hold(mapping.owner);
    }
    pthread_mutex_unlock(&state.mapping);
    return result;
}

EXPORT CUresult cuMemUnmap(CUdeviceptr address, size_t bytes)
{
    pthread_mutex_lock(&state.mapping);
    CUresult result = cuda()->cuMemUnmap(address, bytes);
    /* The driver unmaps whole mappings only; the range may hold several. */
    struct allocation mapping;
    for (CUdeviceptr at = address; result == CUDA_SUCCESS && at - address < bytes; at += mapping.bytes) {
        if (!allocations_take(&state.mappings, at, &mapping) || mapping.bytes == 0)
            break;
        block_drop(mapping.owner);
    }
    pthread_mutex_unlock(&state.mapping);
    return result;
}
