/* Which memory is given out, by address. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    uint64_t address;
    uint64_t bytes;
    int card;
    CUcontext context; /* NULL for a physical handle, and for a part of a pool */
    CUmemoryPool pool;
    unsigned int references; /* to a physical handle: by the program, and by mappings */
};

static struct block *blocks[4096];
static uint64_t next_address = UINT64_C(0x7f0000000000);

uint64_t address_take(uint64_t bytes)
{
    uint64_t address = next_address;
    next_address += bytes ? (bytes + 511) & ~UINT64_C(511) : 512;
    return address;
}

static struct block **block_place(uint64_t address)
{
    struct block **place = &blocks[(address >> 9) % (sizeof blocks / sizeof blocks[0])];
    while (*place && (*place)->address != address)
        place = &(*place)->next;
    return place;
}

CUresult block_add(uint64_t *address, uint64_t bytes, int card, CUcontext context)
{
    if (!node_take(&driver.cards[card], bytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    struct block *block = malloc(sizeof *block);
    if (!block)
        abort();
    pthread_mutex_lock(&driver.lock);
    *block = (struct block){
        .address = address_take(bytes), .bytes = bytes, .card = card, .context = context, .references = 1};
    *block_place(block->address) = block;
    *address = block->address;
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

CUresult block_remove(uint64_t address, bool handle)
{
    pthread_mutex_lock(&driver.lock);
    struct block **place = block_place(address);
    struct block *block = *place;
    bool found = block && (!block->context && !block->pool) == handle && block->references > 0;
    bool last = found && --block->references == 0;
    if (last)
        *place = block->next;
    if (last && block->pool)
        pool_take_back(block->pool, block->address, block->bytes);
    pthread_mutex_unlock(&driver.lock);
    if (!found)
        return CUDA_ERROR_INVALID_VALUE;
    if (!last)
        return CUDA_SUCCESS;
    if (!block->pool && block->bytes > 0)
        node_give(&driver.cards[block->card], block->bytes);
    if (block->bytes == 0)
        multicast_end(address);
    free(block);
    return CUDA_SUCCESS;
}

void block_note(uint64_t address, uint64_t bytes, CUmemoryPool pool)
{
    struct block *block = malloc(sizeof *block);
    if (!block)
        abort();
    *block = (struct block){.address = address, .bytes = bytes, .card = pool->card, .pool = pool, .references = 1};
    *block_place(address) = block;
}

void blocks_remove(CUcontext context)
{
    pthread_mutex_lock(&driver.lock);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        struct block **place = &blocks[i];
        while (*place) {
            struct block *block = *place;
            if (!context || block->context != context) {
                place = &block->next;
                continue;
            }
            *place = block->next;
            node_give(&driver.cards[block->card], block->bytes);
            free(block);
        }
    }
    pthread_mutex_unlock(&driver.lock);
}

CUresult block_hold(uint64_t handle)
{
    struct block *block = *block_place(handle);
    if (!block || block->context || block->pool)
        return CUDA_ERROR_INVALID_VALUE;
    block->references++;
    return CUDA_SUCCESS;
}

CUresult block_card(uint64_t address, int *card)
{
    pthread_mutex_lock(&driver.lock);
    const struct block *block = *block_place(address);
    if (block)
        *card = block->card;
    pthread_mutex_unlock(&driver.lock);
    return block ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult block_pool(uint64_t address, CUmemoryPool *pool)
{
    pthread_mutex_lock(&driver.lock);
    const struct block *block = *block_place(address);
    if (block)
        *pool = block->pool && !block->pool->of_graphs ? block->pool : NULL;
    pthread_mutex_unlock(&driver.lock);
    return block ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void blocks_forget(void)
{
    memset(blocks, 0, sizeof blocks);
}
