/* NVML's view of a card's memory: as a card of the limit's size, used by this container alone. */
#define _GNU_SOURCE
#include "account.h"
#include "device.h"
#include "driver.h"
#include "settings.h"

struct grant {
    uint64_t total_bytes, used_bytes, free_bytes;
};

static bool grant_of(nvmlDevice_t device, uint64_t physical_bytes, struct grant *grant)
{
    unsigned int account;
    if (account_of_nvml(device, &account) != NVML_SUCCESS || account_limit(account) == LIMIT_NONE)
        return false;
    grant->total_bytes = account_size(account, physical_bytes);
    grant->used_bytes = account_used(account);
    if (grant->used_bytes > grant->total_bytes)
        grant->used_bytes = grant->total_bytes;
    grant->free_bytes = grant->total_bytes - grant->used_bytes;
    return true;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    nvmlReturn_t result = nvml()->nvmlDeviceGetMemoryInfo(device, memory);
    struct grant grant;
    if (result == NVML_SUCCESS && memory && grant_of(device, memory->total, &grant)) {
        memory->total = grant.total_bytes;
        memory->used = grant.used_bytes;
        memory->free = grant.free_bytes;
    }
    return result;
}

/* The driver has checked the version field; what it wrote has that version's layout, of which we know this one. */
EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    nvmlReturn_t result = nvml()->nvmlDeviceGetMemoryInfo_v2(device, memory);
    struct grant grant;
    if (result == NVML_SUCCESS && memory && memory->version == NVML_MEMORY_V2 &&
        grant_of(device, memory->total, &grant)) {
        memory->total = grant.total_bytes;
        memory->reserved = 0; /* a share has no part of it; total stays the sum of the others */
        memory->used = grant.used_bytes;
        memory->free = grant.free_bytes;
    }
    return result;
}
