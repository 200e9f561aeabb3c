/* A libcuda.so.1 that pretends: real codes, a real ledger, no card. For tests and the lab. */
#define _GNU_SOURCE
#include "../cuda_abi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"

#define EXPORT __attribute__((visibility("default")))
#define INJECT()                                                                                                       \
    do {                                                                                                               \
        int injected = node_injected(__func__);                                                                        \
        if (injected)                                                                                                  \
            return injected;                                                                                           \
    } while (0)

enum { DRIVER_CUDA_VERSION = 12080 };

struct CUctx_st {
    int card;
    bool primary;
    unsigned int references; /* of a primary context */
    bool destroyed;
};

struct block {
    struct block *next;
    uint64_t address;
    uint64_t bytes;
    int card;
    CUcontext context;       /* NULL for a physical handle */
    unsigned int references; /* to a physical handle: by the program, and by mappings */
};

struct mapping {
    struct mapping *next;
    uint64_t address, bytes, handle;
};

static struct {
    _Atomic bool initialised;
    pthread_mutex_t lock;
    struct card cards[CARDS_MAX];
    int count;
    struct CUctx_st primary[CARDS_MAX];
    struct block *blocks[4096];
    struct mapping *mappings;
    uint64_t next_address;
} driver = {.lock = PTHREAD_MUTEX_INITIALIZER, .next_address = UINT64_C(0x7f0000000000)};

static _Thread_local CUcontext current;

/* ---- start ---- */

/* CUDA_VISIBLE_DEVICES: indices or UUIDs (or their beginnings); the list ends at the first that names no card. */
static void narrow_cards(void)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (!visible)
        return;
    struct card kept[CARDS_MAX];
    int count = 0;
    while (*visible && count < CARDS_MAX) {
        char name[96], *end;
        size_t length = strcspn(visible, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, visible);
        long index = strtol(name, &end, 10);
        int found = -1;
        if (end != name && *end == '\0')
            found = index >= 0 && index < driver.count ? (int)index : -1;
        else
            for (int i = 0; i < driver.count && found < 0; i++)
                if (strncmp(driver.cards[i].uuid, name, strlen(name)) == 0)
                    found = i;
        if (found < 0)
            break;
        kept[count++] = driver.cards[found];
        visible += length;
        visible += *visible == ',';
    }
    memcpy(driver.cards, kept, sizeof kept);
    driver.count = count;
}

/* A forked child starts anew. (The real driver refuses to work there at all.) */
static void forget_parent(void)
{
    pthread_mutex_init(&driver.lock, NULL);
    driver.initialised = false;
    memset(driver.primary, 0, sizeof driver.primary);
    memset(driver.blocks, 0, sizeof driver.blocks);
    driver.mappings = NULL;
    current = NULL;
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_parent);
}

EXPORT CUresult cuInit(unsigned int flags)
{
    INJECT();
    if (flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = CUDA_SUCCESS;
    pthread_mutex_lock(&driver.lock);
    if (!driver.initialised) {
        driver.count = node_cards(driver.cards);
        if (driver.count > 0)
            narrow_cards();
        for (int i = 0; i < driver.count; i++)
            driver.primary[i] = (struct CUctx_st){.card = i, .primary = true};
        if (driver.count > 0)
            driver.initialised = true;
        else
            result = CUDA_ERROR_NO_DEVICE;
    }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuDriverGetVersion(int *version)
{
    if (!version)
        return CUDA_ERROR_INVALID_VALUE;
    *version = DRIVER_CUDA_VERSION;
    return CUDA_SUCCESS;
}

static const struct {
    CUresult code;
    const char *name, *text;
} errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static CUresult error_text(CUresult error, const char **text, bool name)
{
    if (!text)
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == error) {
            *text = name ? errors[i].name : errors[i].text;
            return CUDA_SUCCESS;
        }
    *text = NULL;
    return CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGetErrorName(CUresult error, const char **name)
{
    return error_text(error, name, true);
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text)
{
    return error_text(error, text, false);
}

/* ---- devices ---- */

static CUresult check_device(CUdevice device)
{
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    return device >= 0 && device < driver.count ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

EXPORT CUresult cuDeviceGetCount(int *count)
{
    INJECT();
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (!count)
        return CUDA_ERROR_INVALID_VALUE;
    *count = driver.count;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    INJECT();
    CUresult result = check_device(ordinal);
    if (result != CUDA_SUCCESS)
        return result;
    if (!device)
        return CUDA_ERROR_INVALID_VALUE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!name || length <= 0)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(name, (size_t)length, "%s", driver.cards[device].model);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!uuid)
        return CUDA_ERROR_INVALID_VALUE;
    uuid_bytes(driver.cards[device].uuid, uuid->bytes);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
    return cuDeviceGetUuid_v2(uuid, device);
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!bytes)
        return CUDA_ERROR_INVALID_VALUE;
    *bytes = driver.cards[device].memory_bytes;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
    size_t all;
    CUresult result = cuDeviceTotalMem_v2(&all, device);
    if (result == CUDA_SUCCESS && !bytes)
        return CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS)
        *bytes = all > UINT32_MAX ? UINT32_MAX : (unsigned int)all;
    return result;
}

/* ---- blocks of memory; the caller holds the lock ---- */

static struct block **block_place(uint64_t address)
{
    struct block **place = &driver.blocks[(address >> 9) % (sizeof driver.blocks / sizeof driver.blocks[0])];
    while (*place && (*place)->address != address)
        place = &(*place)->next;
    return place;
}

static CUresult block_add(uint64_t *address, uint64_t bytes, int card, CUcontext context)
{
    if (!node_take(&driver.cards[card], bytes))
        return CUDA_ERROR_OUT_OF_MEMORY;
    struct block *block = malloc(sizeof *block);
    if (!block)
        abort();
    pthread_mutex_lock(&driver.lock);
    *block = (struct block){
        .address = driver.next_address, .bytes = bytes, .card = card, .context = context, .references = 1};
    driver.next_address += (bytes + 511) & ~UINT64_C(511);
    *block_place(block->address) = block;
    *address = block->address;
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

static CUresult block_remove(uint64_t address, bool handle)
{
    pthread_mutex_lock(&driver.lock);
    struct block **place = block_place(address);
    struct block *block = *place;
    bool found = block && (block->context == NULL) == handle && block->references > 0;
    bool last = found && --block->references == 0;
    if (last)
        *place = block->next;
    pthread_mutex_unlock(&driver.lock);
    if (!found)
        return CUDA_ERROR_INVALID_VALUE;
    if (!last)
        return CUDA_SUCCESS;
    node_give(&driver.cards[block->card], block->bytes);
    free(block);
    return CUDA_SUCCESS;
}

static void blocks_remove(CUcontext context)
{
    pthread_mutex_lock(&driver.lock);
    for (size_t i = 0; i < sizeof driver.blocks / sizeof driver.blocks[0]; i++) {
        struct block **place = &driver.blocks[i];
        while (*place) {
            struct block *block = *place;
            if (block->context != context) {
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

/* ---- contexts ---- */

EXPORT CUresult cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device)
{
    INJECT();
    (void)flags;
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    CUcontext created = calloc(1, sizeof *created);
    if (!created)
        return CUDA_ERROR_OUT_OF_MEMORY;
    created->card = device;
    *context = current = created;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxDestroy_v2(CUcontext context)
{
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (!context || context->primary || context->destroyed)
        return CUDA_ERROR_INVALID_CONTEXT;
    blocks_remove(context);
    context->destroyed = true; /* kept: other threads may still have it current */
    if (current == context)
        current = NULL;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context)
{
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (context && context->destroyed)
        return CUDA_ERROR_INVALID_CONTEXT;
    current = context;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *context)
{
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    *context = current;
    return CUDA_SUCCESS;
}

static CUresult check_context(void)
{
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    bool usable = current && !current->destroyed && !(current->primary && current->references == 0);
    return usable ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

EXPORT CUresult cuCtxGetDevice(CUdevice *device)
{
    INJECT();
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    if (!device)
        return CUDA_ERROR_INVALID_VALUE;
    *device = current->card;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!context)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    driver.primary[device].references++;
    *context = &driver.primary[device];
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    pthread_mutex_lock(&driver.lock);
    bool held = driver.primary[device].references > 0;
    bool last = held && --driver.primary[device].references == 0;
    pthread_mutex_unlock(&driver.lock);
    if (last)
        blocks_remove(&driver.primary[device]);
    return held ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    CUresult result = check_device(device);
    if (result == CUDA_SUCCESS)
        blocks_remove(&driver.primary[device]);
    return result;
}

EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (flags)
        *flags = 0;
    if (active)
        *active = driver.primary[device].references > 0;
    return CUDA_SUCCESS;
}

/* ---- memory ---- */

static CUresult allocate(CUdeviceptr *pointer, uint64_t bytes)
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

static CUresult release(CUdeviceptr pointer)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    return pointer == 0 ? CUDA_SUCCESS : block_remove(pointer, false);
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes)
{
    INJECT();
    return allocate(pointer, bytes);
}

/* No 32-bit address is left to give, as on today's cards. */
EXPORT CUresult cuMemAlloc(CUdeviceptr_v1 *pointer, unsigned int bytes)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    return pointer && bytes ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t bytes, unsigned int flags)
{
    INJECT();
    (void)flags;
    return allocate(pointer, bytes);
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
    result = allocate(pointer, row * height);
    if (result == CUDA_SUCCESS)
        *pitch = row;
    return result;
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    INJECT();
    return release(pointer);
}

EXPORT CUresult cuMemFree(CUdeviceptr_v1 pointer)
{
    return release(pointer);
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
        *free_bytes = free_all > UINT32_MAX ? UINT32_MAX : (unsigned int)free_all;
        *total_bytes = total_all > UINT32_MAX ? UINT32_MAX : (unsigned int)total_all;
    }
    return result;
}

/* Streams are not played: what is asked happens at once. */
EXPORT CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    INJECT();
    (void)stream;
    return allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)pool;
    (void)stream;
    return allocate(pointer, bytes);
}

EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *pointer, size_t bytes, CUmemoryPool pool, CUstream stream)
{
    INJECT();
    (void)pool;
    (void)stream;
    return allocate(pointer, bytes);
}

EXPORT CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    (void)stream;
    return release(pointer);
}

EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr pointer, CUstream stream)
{
    INJECT();
    (void)stream;
    return release(pointer);
}

EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *prop,
                            unsigned long long flags)
{
    INJECT();
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (!handle || !prop || bytes == 0 || flags != 0 || prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = check_device(prop->location.id);
    uint64_t address;
    if (result == CUDA_SUCCESS)
        result = block_add(&address, bytes, prop->location.id, NULL);
    if (result == CUDA_SUCCESS)
        *handle = address;
    return result;
}

EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle)
{
    INJECT();
    return driver.initialised ? block_remove(handle, true) : CUDA_ERROR_NOT_INITIALIZED;
}

EXPORT CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment, CUdeviceptr wish,
                                    unsigned long long flags)
{
    (void)alignment;
    (void)wish;
    (void)flags;
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (!address || bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    *address = driver.next_address;
    driver.next_address += (bytes + 511) & ~UINT64_C(511);
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

static CUresult handle_hold(uint64_t handle)
{
    struct block *block = *block_place(handle);
    if (!block || block->context)
        return CUDA_ERROR_INVALID_VALUE;
    block->references++;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                         unsigned long long flags)
{
    INJECT();
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    if (bytes == 0 || offset != 0 || flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    struct mapping *mapping = malloc(sizeof *mapping);
    if (!mapping)
        abort();
    pthread_mutex_lock(&driver.lock);
    CUresult result = handle_hold(handle);
    if (result == CUDA_SUCCESS) {
        *mapping = (struct mapping){.next = driver.mappings, .address = address, .bytes = bytes, .handle = handle};
        driver.mappings = mapping;
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
    for (struct mapping **place = &driver.mappings; *place; place = &(*place)->next)
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
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
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
    if (!driver.initialised)
        return CUDA_ERROR_NOT_INITIALIZED;
    CUresult result = CUDA_ERROR_INVALID_VALUE;
    uint64_t wanted = (uint64_t)(uintptr_t)address;
    pthread_mutex_lock(&driver.lock);
    for (struct mapping *mapping = driver.mappings; handle && mapping; mapping = mapping->next)
        if (wanted - mapping->address < mapping->bytes) {
            *handle = mapping->handle;
            result = handle_hold(mapping->handle);
            break;
        }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

/* ---- by name ---- */

/* Which function a name means since which CUDA version; the stream ones have a per-thread twin. */
static const struct {
    const char *name;
    int since;
    void *function, *per_thread;
} procedures[] = {
    {"cuInit", 2000, (void *)cuInit, NULL},
    {"cuDriverGetVersion", 2020, (void *)cuDriverGetVersion, NULL},
    {"cuGetErrorName", 6000, (void *)cuGetErrorName, NULL},
    {"cuGetErrorString", 6000, (void *)cuGetErrorString, NULL},
    {"cuGetProcAddress", 11030, (void *)cuGetProcAddress, NULL},
    {"cuGetProcAddress", 12000, (void *)cuGetProcAddress_v2, NULL},
    {"cuDeviceGetCount", 2000, (void *)cuDeviceGetCount, NULL},
    {"cuDeviceGet", 2000, (void *)cuDeviceGet, NULL},
    {"cuDeviceGetName", 2000, (void *)cuDeviceGetName, NULL},
    {"cuDeviceGetUuid", 9020, (void *)cuDeviceGetUuid, NULL},
    {"cuDeviceGetUuid", 11040, (void *)cuDeviceGetUuid_v2, NULL},
    {"cuDeviceTotalMem", 2000, (void *)cuDeviceTotalMem, NULL},
    {"cuDeviceTotalMem", 3020, (void *)cuDeviceTotalMem_v2, NULL},
    {"cuCtxCreate", 3020, (void *)cuCtxCreate_v2, NULL},
    {"cuCtxDestroy", 4000, (void *)cuCtxDestroy_v2, NULL},
    {"cuCtxGetDevice", 2000, (void *)cuCtxGetDevice, NULL},
    {"cuCtxSetCurrent", 4000, (void *)cuCtxSetCurrent, NULL},
    {"cuCtxGetCurrent", 4000, (void *)cuCtxGetCurrent, NULL},
    {"cuDevicePrimaryCtxRetain", 7000, (void *)cuDevicePrimaryCtxRetain, NULL},
    {"cuDevicePrimaryCtxRelease", 11000, (void *)cuDevicePrimaryCtxRelease_v2, NULL},
    {"cuDevicePrimaryCtxReset", 11000, (void *)cuDevicePrimaryCtxReset_v2, NULL},
    {"cuDevicePrimaryCtxGetState", 7000, (void *)cuDevicePrimaryCtxGetState, NULL},
    {"cuMemAlloc", 2000, (void *)cuMemAlloc, NULL},
    {"cuMemAlloc", 3020, (void *)cuMemAlloc_v2, NULL},
    {"cuMemAllocPitch", 3020, (void *)cuMemAllocPitch_v2, NULL},
    {"cuMemAllocManaged", 6000, (void *)cuMemAllocManaged, NULL},
    {"cuMemFree", 2000, (void *)cuMemFree, NULL},
    {"cuMemFree", 3020, (void *)cuMemFree_v2, NULL},
    {"cuMemGetInfo", 2000, (void *)cuMemGetInfo, NULL},
    {"cuMemGetInfo", 3020, (void *)cuMemGetInfo_v2, NULL},
    {"cuMemAllocAsync", 11020, (void *)cuMemAllocAsync, (void *)cuMemAllocAsync_ptsz},
    {"cuMemAllocFromPoolAsync", 11020, (void *)cuMemAllocFromPoolAsync, (void *)cuMemAllocFromPoolAsync_ptsz},
    {"cuMemFreeAsync", 11020, (void *)cuMemFreeAsync, (void *)cuMemFreeAsync_ptsz},
    {"cuMemCreate", 10020, (void *)cuMemCreate, NULL},
    {"cuMemRelease", 10020, (void *)cuMemRelease, NULL},
    {"cuMemRetainAllocationHandle", 11000, (void *)cuMemRetainAllocationHandle, NULL},
    {"cuMemAddressReserve", 10020, (void *)cuMemAddressReserve, NULL},
    {"cuMemMap", 10020, (void *)cuMemMap, NULL},
    {"cuMemUnmap", 10020, (void *)cuMemUnmap, NULL},
};

EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **address, int cuda_version, uint64_t flags, int *status)
{
    if (!symbol || !address)
        return CUDA_ERROR_INVALID_VALUE;
    int outcome = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    *address = NULL;
    for (size_t i = 0; i < sizeof procedures / sizeof procedures[0]; i++) {
        if (strcmp(procedures[i].name, symbol) != 0)
            continue;
        if (procedures[i].since <= cuda_version) { /* later rows are newer */
            bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) && procedures[i].per_thread;
            *address = per_thread ? procedures[i].per_thread : procedures[i].function;
            outcome = CU_GET_PROC_ADDRESS_SUCCESS;
        } else if (!*address) {
            outcome = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
        }
    }
    if (status)
        *status = outcome;
    return *address ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

EXPORT CUresult cuGetProcAddress(const char *symbol, void **address, int cuda_version, uint64_t flags)
{
    return cuGetProcAddress_v2(symbol, address, cuda_version, flags, NULL);
}
