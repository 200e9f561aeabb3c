/* Chapter "Stream Ordered Memory Allocator": the pools. One takes memory of its card in segments of whole chunks, hands
 * out pieces of them, first fit, and gives back segments without any piece in use. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    struct piece *next; /* by address, without gaps */
    uint64_t bytes;
    bool taken;
};

struct segment {
    struct segment *next;
    uint64_t address, bytes;
    struct piece *pieces;
};

static struct CUmemPoolHandle_st fixed[CARDS_MAX];
static CUmemoryPool made, chosen[CARDS_MAX];

/* HAMI_FAKE_CHUNK: by how much pools grow, in MiB. */
static uint64_t chunk_bytes(void)
{
    const char *text = getenv("HAMI_FAKE_CHUNK");
    return (text ? strtoull(text, NULL, 10) : 32) << 20;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static struct piece *piece_new(struct piece *next, uint64_t bytes)
{
    struct piece *piece = malloc(sizeof *piece);
    if (!piece)
        abort();
    *piece = (struct piece){next, bytes, false};
    return piece;
}

static uint64_t carve(struct segment *segment, uint64_t bytes)
{
    uint64_t address = segment->address;
    for (struct piece *piece = segment->pieces; piece; address += piece->bytes, piece = piece->next)
        if (!piece->taken && piece->bytes >= bytes) {
            if (piece->bytes > bytes)
                piece->next = piece_new(piece->next, piece->bytes - bytes);
            piece->bytes = bytes;
            piece->taken = true;
            return address;
        }
    return 0;
}

static struct segment *grow(CUmemoryPool pool, uint64_t bytes)
{
    struct segment *segment = malloc(sizeof *segment);
    uint64_t whole = round_up(bytes, chunk_bytes());
    if (!segment)
        abort();
    if (pool->card >= 0 && !node_take(&driver.cards[pool->card], whole)) {
        free(segment);
        return NULL;
    }
    *segment = (struct segment){pool->segments, address_take(whole), whole, piece_new(NULL, whole)};
    pool->segments = segment;
    pool->reserved_bytes += whole;
    if (pool->reserved_bytes > pool->reserved_high_bytes)
        pool->reserved_high_bytes = pool->reserved_bytes;
    return segment;
}

static void trim(CUmemoryPool pool, uint64_t keep_bytes)
{
    for (struct segment **place = &pool->segments; *place;) {
        struct segment *segment = *place;
        bool whole = !segment->pieces->taken && !segment->pieces->next;
        if (!whole || pool->reserved_bytes - segment->bytes < keep_bytes) {
            place = &segment->next;
            continue;
        }
        *place = segment->next;
        pool->reserved_bytes -= segment->bytes;
        if (pool->card >= 0)
            node_give(&driver.cards[pool->card], segment->bytes);
        free(segment->pieces);
        free(segment);
    }
}

static bool is_pool(CUmemoryPool pool)
{
    for (CUmemoryPool at = made; at; at = at->next)
        if (at == pool)
            return !at->destroyed;
    return false;
}

/* On a card that is full the other pools give back what they need not hold. */
static struct segment *grow_at_any_cost(CUmemoryPool pool, uint64_t bytes)
{
    struct segment *segment = grow(pool, bytes);
    for (CUmemoryPool at = made; at && !segment; at = at->next)
        if (at->card == pool->card) {
            trim(at, 0);
            segment = grow(pool, bytes);
        }
    return segment;
}

CUresult pool_allocate(CUdeviceptr *pointer, uint64_t bytes, CUmemoryPool pool)
{
    if (!pointer || bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (bytes > UINT64_C(1) << 48)
        return CUDA_ERROR_OUT_OF_MEMORY;
    bytes = round_up(bytes, 512);
    pthread_mutex_lock(&driver.lock);
    uint64_t address = 0;
    if (is_pool(pool)) {
        for (struct segment *segment = pool->segments; segment && !address; segment = segment->next)
            address = carve(segment, bytes);
        struct segment *fresh = address ? NULL : grow_at_any_cost(pool, bytes);
        if (fresh)
            address = carve(fresh, bytes);
    }
    if (address) {
        block_note(address, bytes, pool);
        pool->used_bytes += bytes;
        if (pool->used_bytes > pool->used_high_bytes)
            pool->used_high_bytes = pool->used_bytes;
        *pointer = address;
    }
    CUresult result = address ? CUDA_SUCCESS : is_pool(pool) ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_unlock(&driver.lock);
    return result;
}

static void join_free(struct segment *segment)
{
    for (struct piece *piece = segment->pieces; piece; piece = piece->next)
        while (!piece->taken && piece->next && !piece->next->taken) {
            struct piece *gone = piece->next;
            piece->bytes += gone->bytes;
            piece->next = gone->next;
            free(gone);
        }
}

void pool_take_back(CUmemoryPool pool, uint64_t address, uint64_t bytes)
{
    if (pool->of_graphs) {
        pool->used_bytes -= bytes;
        return;
    }
    struct segment *segment = pool->segments;
    while (address - segment->address >= segment->bytes)
        segment = segment->next;
    uint64_t at = segment->address;
    struct piece *piece = segment->pieces;
    for (; at != address; piece = piece->next)
        at += piece->bytes;
    piece->taken = false;
    join_free(segment);
    pool->used_bytes -= bytes;
    if (pool->destroyed)
        trim(pool, 0);
}

void pools_synchronise(void)
{
    pthread_mutex_lock(&driver.lock);
    for (CUmemoryPool pool = made; pool; pool = pool->next)
        trim(pool, pool->threshold_bytes);
    pthread_mutex_unlock(&driver.lock);
}

void pools_forget(void)
{
    made = NULL;
    memset(fixed, 0, sizeof fixed);
    memset(chosen, 0, sizeof chosen);
}

EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!pool)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    if (!fixed[device].fixed) {
        fixed[device] = (struct CUmemPoolHandle_st){.next = made, .card = device, .fixed = true};
        made = &fixed[device];
    }
    pthread_mutex_unlock(&driver.lock);
    *pool = &fixed[device];
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device)
{
    CUresult result = cuDeviceGetDefaultMemPool(pool, device);
    pthread_mutex_lock(&driver.lock);
    if (result == CUDA_SUCCESS && chosen[device])
        *pool = chosen[device];
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool)
{
    CUresult result = check_device(device);
    pthread_mutex_lock(&driver.lock);
    if (result == CUDA_SUCCESS && (!is_pool(pool) || pool->card != device))
        result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS)
        chosen[device] = pool;
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *props)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    bool on_host = props && props->location.type == CU_MEM_LOCATION_TYPE_HOST;
    if (!pool || !props || (!on_host && props->location.type != CU_MEM_LOCATION_TYPE_DEVICE))
        return CUDA_ERROR_INVALID_VALUE;
    if (!on_host)
        result = check_device(props->location.id);
    if (result != CUDA_SUCCESS)
        return result;
    CUmemoryPool created = calloc(1, sizeof *created);
    if (!created)
        abort();
    created->card = on_host ? -1 : props->location.id;
    pthread_mutex_lock(&driver.lock);
    created->next = made;
    made = created;
    pthread_mutex_unlock(&driver.lock);
    *pool = created;
    return CUDA_SUCCESS;
}

/* What is still in use goes when it is freed. */
EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool)
{
    INJECT();
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    if (is_pool(pool) && !pool->fixed) {
        pool->destroyed = true;
        trim(pool, 0);
        for (CUmemoryPool *place = &made; *place; place = &(*place)->next)
            if (*place == pool) {
                *place = pool->next; /* it lives on in its pieces */
                break;
            }
        for (int card = 0; card < CARDS_MAX; card++)
            if (chosen[card] == pool)
                chosen[card] = NULL;
        result = CUDA_SUCCESS;
    }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t keep_bytes)
{
    INJECT();
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    if (is_pool(pool)) {
        trim(pool, keep_bytes);
        result = CUDA_SUCCESS;
    }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void *value)
{
    INJECT();
    CUresult result = CUDA_SUCCESS;
    pthread_mutex_lock(&driver.lock);
    if (!value || !is_pool(pool))
        result = CUDA_ERROR_INVALID_VALUE;
    else if (attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
        *(uint64_t *)value = pool->threshold_bytes;
    else if (attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
        *(uint64_t *)value = pool->reserved_bytes;
    else if (attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)
        *(uint64_t *)value = pool->reserved_high_bytes;
    else if (attribute == CU_MEMPOOL_ATTR_USED_MEM_CURRENT)
        *(uint64_t *)value = pool->used_bytes;
    else if (attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH)
        *(uint64_t *)value = pool->used_high_bytes;
    else
        result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void *value)
{
    CUresult result = CUDA_SUCCESS;
    pthread_mutex_lock(&driver.lock);
    if (!value || !is_pool(pool))
        result = CUDA_ERROR_INVALID_VALUE;
    else if (attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
        pool->threshold_bytes = *(uint64_t *)value;
    else if (attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH && *(uint64_t *)value == 0)
        pool->reserved_high_bytes = pool->reserved_bytes;
    else if (attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH && *(uint64_t *)value == 0)
        pool->used_high_bytes = pool->used_bytes;
    else
        result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_unlock(&driver.lock);
    return result;
}
