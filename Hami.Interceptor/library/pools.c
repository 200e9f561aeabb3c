#define _GNU_SOURCE
#include "pools.h"

#include <stdlib.h>

#include "account.h"
#include "device.h"
#include "driver.h"

/* By how much pools grow: 32 MiB on the drivers seen so far. Another unit shows in what a pool has grown by. */
static const uint64_t chunk_most_bytes = UINT64_C(32) << 20;

static uint64_t chunk_bytes(const struct pool *pool)
{
    if (pool->of_graphs)
        return UINT64_C(2) << 20;
    return chunk_most_bytes >> atomic_load_explicit(&state.pool_chunk_halvings, memory_order_relaxed);
}

static void chunk_learn(uint64_t growth_bytes)
{
    unsigned int halvings = 0;
    while (halvings < 16 && growth_bytes % (chunk_most_bytes >> halvings) != 0)
        halvings++;
    unsigned int known = atomic_load_explicit(&state.pool_chunk_halvings, memory_order_relaxed);
    while (known < halvings && !atomic_compare_exchange_weak(&state.pool_chunk_halvings, &known, halvings))
        ;
}

static bool attribute(CUmemoryPool handle, int which, uint64_t *value)
{
    *value = 0;
    return cuda()->cuMemPoolGetAttribute(handle, which, value) == CUDA_SUCCESS;
}

/* ---- which pools there are ---- */

/* A device's own pool, made by nobody. */
static bool card_by_default(CUmemoryPool handle, CUdevice *device)
{
    CUmemoryPool fixed;
    for (*device = 0; *device < 64; ++*device)
        if (cuda()->cuDeviceGetDefaultMemPool(&fixed, *device) != CUDA_SUCCESS)
            return false;
        else if (fixed == handle)
            return true;
    return false;
}

/* What the driver says of it; one before CUDA 13 says nothing, and then the current card is the best guess. */
static bool card_by_driver(CUmemoryPool handle, CUdevice *device)
{
    union {
        int number;
        uint64_t room;
    } type, id;
    if (!attribute(handle, CU_MEMPOOL_ATTR_LOCATION_TYPE, &type.room) ||
        !attribute(handle, CU_MEMPOOL_ATTR_LOCATION_ID, &id.room))
        return cuda()->cuCtxGetDevice(device) == CUDA_SUCCESS;
    *device = id.number;
    return type.number == CU_MEM_LOCATION_TYPE_DEVICE;
}

static bool ask(struct pool *pool, int of_pool, int of_graphs, uint64_t *value)
{
    CUmemoryPool handle = atomic_load_explicit(&pool->handle, memory_order_relaxed);
    *value = 0;
    if (pool->of_graphs)
        return cuda()->cuDeviceGetGraphMemAttribute(pool->device, of_graphs, value) == CUDA_SUCCESS;
    return handle && attribute(handle, of_pool, value);
}

static bool reserved(struct pool *pool, uint64_t *bytes)
{
    return ask(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, bytes);
}

static bool used(struct pool *pool, uint64_t *bytes)
{
    return ask(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, bytes);
}

static struct pool *find(CUmemoryPool handle)
{
    struct pool *pool = atomic_load_explicit(&state.pools, memory_order_acquire);
    while (pool && atomic_load_explicit(&pool->handle, memory_order_relaxed) != handle)
        pool = pool->next;
    return pool;
}

static struct pool *push(const struct pool *like, CUmemoryPool handle)
{
    uint64_t reserved_bytes;
    struct pool *pool = malloc(sizeof *pool);
    if (!pool)
        return NULL;
    *pool = *like;
    atomic_store(&pool->handle, handle ? handle : (CUmemoryPool)pool);
    pthread_mutex_init(&pool->lock, NULL);
    pool->weighed = reserved(pool, &reserved_bytes);
    pool->on_card = like->on_card && account_of_cuda(pool->device, &pool->account) == CUDA_SUCCESS;
    pool->next = atomic_load(&state.pools);
    atomic_store_explicit(&state.pools, pool, memory_order_release);
    return pool;
}

/* The place of a destroyed one, of the same device: somebody may be about to look at it. */
static struct pool *take_over(CUmemoryPool handle, bool on_card, CUdevice device)
{
    struct pool *pool = atomic_load(&state.pools);
    for (; pool; pool = pool->next) {
        if (atomic_load(&pool->handle) || pool->device != device || pool->on_card != on_card)
            continue;
        pthread_mutex_lock(&pool->lock);
        bool empty = pool->pointers == 0 && pool->charged_bytes == 0 && pool->outstanding_bytes == 0;
        if (empty)
            atomic_store(&pool->handle, handle);
        pthread_mutex_unlock(&pool->lock);
        if (empty)
            return pool;
    }
    return NULL;
}

static struct pool *add(CUmemoryPool handle, bool on_card, CUdevice device)
{
    pthread_mutex_lock(&state.pooling);
    struct pool *pool = find(handle);
    if (!pool)
        pool = take_over(handle, on_card, device);
    if (!pool)
        pool = push(&(struct pool){.on_card = on_card, .device = device}, handle);
    pthread_mutex_unlock(&state.pooling);
    return pool;
}

struct pool *pool_of_graphs(CUdevice device)
{
    pthread_mutex_lock(&state.pooling);
    struct pool *pool = atomic_load(&state.pools);
    while (pool && !(pool->of_graphs && pool->device == device))
        pool = pool->next;
    if (!pool)
        pool = push(&(struct pool){.on_card = true, .of_graphs = true, .device = device}, NULL);
    pthread_mutex_unlock(&state.pooling);
    return pool;
}

struct pool *pool_of(CUmemoryPool handle)
{
    struct pool *pool = find(handle);
    if (pool)
        return pool;
    CUdevice device = 0;
    bool on_card = card_by_default(handle, &device) || card_by_driver(handle, &device);
    return add(handle, on_card, device);
}

struct pool *pool_expected(CUdevice device)
{
    CUmemoryPool handle;
    if (device < 0 || device >= (int)(sizeof state.pool_expected / sizeof state.pool_expected[0]))
        return NULL;
    struct pool *pool = atomic_load_explicit(&state.pool_expected[device], memory_order_relaxed);
    if (pool && atomic_load_explicit(&pool->handle, memory_order_relaxed))
        return pool;
    if (cuda()->cuDeviceGetMemPool(&handle, device) != CUDA_SUCCESS)
        return NULL;
    return pool_of(handle);
}

void pool_expect(CUdevice device, struct pool *pool)
{
    if (device < 0 || device >= (int)(sizeof state.pool_expected / sizeof state.pool_expected[0]))
        return;
    if (atomic_load_explicit(&state.pool_expected[device], memory_order_relaxed) != pool)
        atomic_store_explicit(&state.pool_expected[device], pool, memory_order_relaxed);
}

/* ---- what they hold ---- */

/* What it has given back is no longer charged. Held: the pool's lock. */
static bool shrink(struct pool *pool, uint64_t reserved_bytes)
{
    if (reserved_bytes >= pool->charged_bytes)
        return false;
    uint64_t less_bytes = pool->charged_bytes - reserved_bytes;
    account_return(pool->account, less_bytes);
    pool->charged_bytes = reserved_bytes;
    pool->beyond_bytes -= less_bytes < pool->beyond_bytes ? less_bytes : pool->beyond_bytes;
    return true;
}

/* Several calls may be at the driver at once, and what the pool has grown by does not say for whom. So their promises
 * are one sum, from which any growth is paid; charged and promised together are never less than what the pool has
 * reserved and may still grow by. Only one who comes from the driver pays: he can undo what the limit does not allow.
 * Held: the pool's lock. False: it has grown by more than was promised, and the limit does not allow it. */
static bool grow(struct pool *pool, uint64_t reserved_bytes)
{
    uint64_t growth_bytes = reserved_bytes - pool->charged_bytes;
    if (growth_bytes > 0 && !pool->of_graphs)
        chunk_learn(growth_bytes);
    uint64_t paid_bytes = growth_bytes < pool->promised_bytes ? growth_bytes : pool->promised_bytes;
    pool->promised_bytes -= paid_bytes;
    pool->charged_bytes += growth_bytes;
    growth_bytes -= paid_bytes;
    if (growth_bytes > 0 && !account_reserve_now(pool->account, growth_bytes)) {
        account_force(pool->account, growth_bytes);
        pool->beyond_bytes += growth_bytes;
    }
    if (pool->beyond_bytes > 0 && account_reserve_now(pool->account, 0))
        pool->beyond_bytes = 0; /* within the limit by now */
    return pool->beyond_bytes == 0;
}

/* The driver is asked anew; one that does not answer changes nothing. Held: the pool's lock. */
static bool weigh(struct pool *pool, bool growth_too)
{
    uint64_t reserved_bytes;
    if (!reserved(pool, &reserved_bytes))
        return true;
    shrink(pool, reserved_bytes);
    return !growth_too || grow(pool, reserved_bytes);
}

/* Takes up to so many bytes of what it has unused, for a call that goes to the driver now. Held: the pool's lock. */
static uint64_t claim(struct pool *pool, uint64_t bytes, uint64_t own_bytes)
{
    uint64_t reserved_bytes, used_bytes;
    if (!used(pool, &used_bytes) || !reserved(pool, &reserved_bytes))
        return 0;
    used_bytes -= own_bytes < used_bytes ? own_bytes : used_bytes;
    used_bytes += pool->claimed_bytes;
    uint64_t unused_bytes = reserved_bytes > used_bytes ? reserved_bytes - used_bytes : 0;
    uint64_t claim_bytes = bytes < unused_bytes ? bytes : unused_bytes;
    pool->claimed_bytes += claim_bytes;
    return claim_bytes;
}

static bool claim_all(struct pool *pool, uint64_t bytes, struct promise *promise)
{
    bytes = (bytes + 511) & ~UINT64_C(511); /* what it rounds up to */
    pthread_mutex_lock(&pool->lock);
    promise->claim_bytes = claim(pool, bytes, 0);
    if (promise->claim_bytes < bytes) {
        pool->claimed_bytes -= promise->claim_bytes;
        promise->claim_bytes = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return promise->claim_bytes > 0;
}

static void claim_drop(struct pool *pool, struct promise *promise)
{
    pthread_mutex_lock(&pool->lock);
    pool->claimed_bytes -= promise->claim_bytes;
    pthread_mutex_unlock(&pool->lock);
    promise->claim_bytes = 0;
}

bool pool_promise(struct pool *pool, uint64_t bytes, struct promise *promise)
{
    uint64_t chunk = chunk_bytes(pool), growth_bytes;
    *promise = (struct promise){0, 0};
    if (__builtin_add_overflow(bytes, chunk - 1, &growth_bytes))
        return false;
    growth_bytes -= growth_bytes % chunk;
    if (!account_reserve_now(pool->account, growth_bytes)) {
        if (claim_all(pool, bytes, promise))
            return true;
        if (!account_reserve(pool->account, growth_bytes))
            return false;
    }
    promise->growth_bytes = growth_bytes;
    pthread_mutex_lock(&pool->lock);
    pool->promised_bytes += growth_bytes;
    pool->outstanding_bytes += growth_bytes;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

bool pool_promise_frugally(struct pool *pool, uint64_t bytes, uint64_t own_bytes, struct promise *promise)
{
    struct promise first = {0, 0};
    pthread_mutex_lock(&pool->lock);
    first.claim_bytes = claim(pool, bytes, own_bytes);
    pthread_mutex_unlock(&pool->lock);
    *promise = first;
    if (first.claim_bytes == bytes)
        return true;
    bool promised = pool_promise(pool, bytes - first.claim_bytes, promise);
    promise->claim_bytes += first.claim_bytes;
    if (!promised)
        claim_drop(pool, promise);
    return promised;
}

bool pool_keep(struct pool *pool, const struct promise *promise, bool one_more_pointer)
{
    pthread_mutex_lock(&pool->lock);
    pool->pointers += one_more_pointer;
    bool allowed = weigh(pool, true);
    pool->claimed_bytes -= promise->claim_bytes;
    pool->outstanding_bytes -= promise->growth_bytes;
    uint64_t spare_bytes = 0;
    if (pool->promised_bytes > pool->outstanding_bytes) {
        spare_bytes = pool->promised_bytes - pool->outstanding_bytes;
        pool->promised_bytes = pool->outstanding_bytes;
    }
    pthread_mutex_unlock(&pool->lock);
    if (spare_bytes)
        account_return(pool->account, spare_bytes);
    return allowed;
}

/* One that is destroyed says nothing any more, but keeps its memory until its last pointer is freed. Held: its lock. */
static void end_when_empty(struct pool *pool)
{
    if (atomic_load(&pool->handle) || pool->pointers > 0)
        return;
    account_return(pool->account, pool->charged_bytes);
    pool->charged_bytes = 0;
}

void pool_drop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->pointers--;
    weigh(pool, false);
    end_when_empty(pool);
    pthread_mutex_unlock(&pool->lock);
    if (!atomic_load_explicit(&state.pools_freed, memory_order_relaxed))
        atomic_store_explicit(&state.pools_freed, true, memory_order_relaxed);
}

bool pool_settle(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint64_t before_bytes = pool->charged_bytes;
    weigh(pool, false);
    bool less = pool->charged_bytes < before_bytes;
    pthread_mutex_unlock(&pool->lock);
    return less;
}

/* Some calls end the capture of any stream, whichever thread makes them, unless this thread says that it knows what it
 * does. What we ask on our own account touches no stream. */
static int capture_mode(int mode)
{
    cuda()->cuThreadExchangeStreamCaptureMode(&mode);
    return mode;
}

/* Except what a call at the driver counts on. */
bool pool_trim(struct pool *pool)
{
    uint64_t used_bytes, reserved_bytes;
    int mode = capture_mode(CU_STREAM_CAPTURE_MODE_RELAXED);
    pthread_mutex_lock(&pool->lock);
    CUmemoryPool handle = atomic_load(&pool->handle);
    if (handle && used(pool, &used_bytes) && reserved(pool, &reserved_bytes) && reserved_bytes > used_bytes) {
        if (!pool->of_graphs) {
            cuda()->cuMemPoolTrimTo(handle, pool->claimed_bytes ? used_bytes + pool->claimed_bytes : 0);
        } else if (pool->claimed_bytes == 0) {
            cuda()->cuDeviceGraphMemTrim(pool->device);
            atomic_fetch_add(&state.graph_trims, 1);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    bool less = pool_settle(pool);
    capture_mode(mode);
    return less;
}

/* As the driver does when a card is full: pools give back what they keep before anybody is refused. */
bool pools_settle(unsigned int account, bool trimming)
{
    bool less = false;
    struct pool *pool = atomic_load_explicit(&state.pools, memory_order_acquire);
    for (; pool; pool = pool->next) {
        if (!pool->on_card || !pool->weighed || pool->account != account)
            continue;
        less |= trimming ? pool_trim(pool) : pool_settle(pool);
    }
    return less;
}

void pools_settle_all(void)
{
    struct pool *pool = atomic_load_explicit(&state.pools, memory_order_acquire);
    int mode = pool ? capture_mode(CU_STREAM_CAPTURE_MODE_RELAXED) : 0;
    for (struct pool *at = pool; at; at = at->next)
        if (at->on_card && at->weighed)
            pool_settle(at);
    if (pool)
        capture_mode(mode);
}

void pools_forget(void)
{
    pthread_mutex_init(&state.pooling, NULL);
    atomic_store(&state.pools, NULL); /* a thread that is not here may have held their locks */
    for (size_t i = 0; i < sizeof state.pool_expected / sizeof state.pool_expected[0]; i++)
        atomic_store(&state.pool_expected[i], NULL);
}

/* ---- hooks ---- */

EXPORT CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *props)
{
    CUresult result = cuda()->cuMemPoolCreate(pool, props);
    if (result == CUDA_SUCCESS && pool && props)
        add(*pool, props->location.type == CU_MEM_LOCATION_TYPE_DEVICE, props->location.id);
    return result;
}

/* Nobody may ask the driver about it from here on, and the next one may get its handle. */
EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool)
{
    struct pool *known = pool ? find(pool) : NULL;
    if (!known)
        return cuda()->cuMemPoolDestroy(pool);
    pthread_mutex_lock(&known->lock);
    atomic_store(&known->handle, NULL);
    pthread_mutex_unlock(&known->lock);
    CUresult result = cuda()->cuMemPoolDestroy(pool);
    pthread_mutex_lock(&known->lock);
    if (result != CUDA_SUCCESS)
        atomic_store(&known->handle, pool);
    end_when_empty(known);
    pthread_mutex_unlock(&known->lock);
    return result;
}

EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t keep_bytes)
{
    CUresult result = cuda()->cuMemPoolTrimTo(pool, keep_bytes);
    struct pool *known = result == CUDA_SUCCESS ? find(pool) : NULL;
    if (known && known->on_card && known->weighed)
        pool_settle(known);
    return result;
}
