/* cuCtxSetLimit: the device's heap and its buffer for printf lie in the context's card. Every context has a little of
 * them, which belongs to what it costs to make one (backstop.c); what is asked beyond is charged here, before the
 * driver is asked, and goes with the context. When the driver takes it later than it is asked, or never, the charge
 * only makes the unseen part smaller. */
#define _GNU_SOURCE
#include "account.h"
#include "driver.h"
#include "memory.h"

/* The charge of one limit of one context; a context's address is a multiple of eight at least. */
static uint64_t key_of(uint64_t context, int limit)
{
    return context | (uint64_t)limit;
}

static CUresult grow(struct charge *charge, uint64_t bytes, int limit, size_t value)
{
    charge->bytes = 0;
    if (!account_reserve(charge->account, bytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    CUresult result = cuda()->cuCtxSetLimit(limit, value);
    if (result == CUDA_SUCCESS)
        charge->bytes = bytes;
    else
        account_return(charge->account, bytes);
    return result;
}

/* One at a time: what is charged is the difference to what was set before. */
static CUresult set(struct charge *charge, int limit, size_t value)
{
    size_t before;
    struct allocation held = {.bytes = 0}, former;
    if (cuda()->cuCtxGetLimit(&before, limit) != CUDA_SUCCESS)
        return cuda()->cuCtxSetLimit(limit, value);
    CUresult result = value > before ? grow(charge, value - before, limit, value) : cuda()->cuCtxSetLimit(limit, value);
    if (result != CUDA_SUCCESS || value == before)
        return result;

    uint64_t key = key_of(charge->context, limit);
    allocations_take(&state.context_limits, key, &held);
    uint64_t less_bytes = value < before ? before - value : 0;
    if (less_bytes > held.bytes)
        less_bytes = held.bytes; /* the rest was the context's own */
    if (less_bytes)
        account_return(charge->account, less_bytes);
    held = (struct allocation){.pointer = key,
                               .bytes = held.bytes + charge->bytes - less_bytes,
                               .account = charge->account,
                               .owner = charge->context,
                               .serial = atomic_load(&state.context_ends)};
    if (held.bytes > 0)
        allocations_put(&state.context_limits, &held, &former);
    return result;
}

EXPORT CUresult cuCtxSetLimit(int limit, size_t value)
{
    struct charge charge;
    if ((limit != CU_LIMIT_MALLOC_HEAP_SIZE && limit != CU_LIMIT_PRINTF_FIFO_SIZE) ||
        charge_open(&charge, 0) != CUDA_SUCCESS || charge.context == 0)
        return cuda()->cuCtxSetLimit(limit, value);
    pthread_mutex_lock(&state.limiting);
    CUresult result = set(&charge, limit, value);
    pthread_mutex_unlock(&state.limiting);
    return result;
}
