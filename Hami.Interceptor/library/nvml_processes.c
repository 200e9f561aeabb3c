/* NVML's lists of processes: of this container's only, under the pids it knows them by. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "driver.h"
#include "host_pid.h"
#include "identity.h"
#include "settings.h"
#include "slots.h"

/* An entry begins alike in all versions. The first function's ends after the bytes; the third's is longer by eight
 * bytes in some drivers (535.43 to 535.86: memory under confidential computing), which only the driver's writing shows.
 */
enum { ENTRY_MOST = 32, UNTOUCHED = 0xa5 };
_Static_assert(sizeof(nvmlProcessInfo_v1_t) == 16 && sizeof(nvmlProcessInfo_t) == 24, "NVML API Reference");
_Static_assert(offsetof(nvmlProcessInfo_t, usedGpuMemory) == offsetof(nvmlProcessInfo_v1_t, usedGpuMemory), "alike");

typedef nvmlReturn_t list_function(nvmlDevice_t device, unsigned int *count, void *infos);

struct list {
    unsigned char *entries;
    unsigned int count, room;
    size_t entry_bytes;
};

static bool is_touched(const struct list *list, size_t from, size_t to)
{
    while (from < to && list->entries[from] == UNTOUCHED)
        from++;
    return from < to;
}

static nvmlReturn_t list_read(list_function *ask, nvmlDevice_t device, struct list *list)
{
    nvmlReturn_t result = NVML_ERROR_INSUFFICIENT_SIZE;
    list->entries = NULL;
    list->room = 32;
    for (int attempt = 0; attempt < 4 && result == NVML_ERROR_INSUFFICIENT_SIZE; attempt++) {
        free(list->entries);
        size_t length = (size_t)(list->room + 1) * ENTRY_MOST;
        list->entries = malloc(length);
        if (!list->entries)
            return NVML_ERROR_MEMORY;
        memset(list->entries, UNTOUCHED, length);
        list->count = list->room;
        result = ask(device, &list->count, list->entries);
        if (result == NVML_ERROR_INSUFFICIENT_SIZE)
            list->room = list->count + 32;
    }
    if (result == NVML_SUCCESS && list->entry_bytes == sizeof(nvmlProcessInfo_t) &&
        is_touched(list, list->count * sizeof(nvmlProcessInfo_t), (size_t)list->count * ENTRY_MOST) &&
        !is_touched(list, (size_t)list->count * ENTRY_MOST, (size_t)(list->room + 1) * ENTRY_MOST))
        list->entry_bytes = ENTRY_MOST;
    return result;
}

static const unsigned char *entry_of(const struct list *list, uint32_t pid)
{
    nvmlProcessInfo_v1_t head;
    for (unsigned int i = 0; pid != 0 && i < list->count; i++) {
        memcpy(&head, list->entries + i * list->entry_bytes, sizeof head);
        if (head.pid == pid)
            return list->entries + i * list->entry_bytes;
    }
    return NULL;
}

/* One that the driver lists: with what it says. One that it does not, for we do not know by which pid: with what passed
 * through us. */
static bool entry_make(const struct region *region, unsigned int index, unsigned int account, const struct list *driver,
                       bool of_kernels, unsigned char entry[ENTRY_MOST])
{
    struct slot *slot = &region->extension->slots[index];
    uint64_t owner = atomic_load(&slot->owner);
    uint64_t bytes = atomic_load(&slot->device[account].used_bytes) + atomic_load(&slot->device[account].unseen_bytes);
    if (owner == 0 || owner & IDENTITY_RECLAIMING)
        return false;
    const unsigned char *listed = entry_of(driver, host_pid_of(region, index));
    if (!listed && (!of_kernels || bytes == 0))
        return false;
    nvmlProcessInfo_v1_t head = {.usedGpuMemory = bytes};
    memset(entry, 0xff, ENTRY_MOST); /* no instance */
    if (listed) {
        memcpy(entry, listed, driver->entry_bytes);
        memcpy(&head, listed, sizeof head);
    }
    if (head.usedGpuMemory == NVML_VALUE_NOT_AVAILABLE)
        head.usedGpuMemory = bytes;
    head.pid = identity_pid(owner);
    memcpy(entry, &head, sizeof head);
    return true;
}

static nvmlReturn_t list_ours(struct region *region, unsigned int account, const struct list *driver, bool of_kernels,
                              unsigned int *count, unsigned char *infos)
{
    unsigned char entry[ENTRY_MOST];
    unsigned int found = 0, room = *count;
    slots_reclaim(region);
    unsigned int high = account < DEVICES_MAX ? atomic_load(&region->extension->slots_high) : 0;
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        if (!entry_make(region, i, account, driver, of_kernels, entry))
            continue;
        if (found < room)
            memcpy(infos + found * driver->entry_bytes, entry, driver->entry_bytes);
        found++;
    }
    *count = found;
    return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

/* 0 = it is none of the container's, or one whose pid on the node nobody has told. */
static uint32_t pid_in_container(const struct region *region, uint32_t host_pid)
{
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; host_pid != 0 && i < high && i < SLOTS_MAX; i++) {
        uint64_t owner = atomic_load(&region->extension->slots[i].owner);
        if (owner != 0 && !(owner & IDENTITY_RECLAIMING) && host_pid_of(region, i) == host_pid)
            return identity_pid(owner);
    }
    return 0;
}

/* Where there is no limit we know nothing that the driver does not. */
static bool is_ours_to_say(struct region *region, nvmlDevice_t device, unsigned int *account)
{
    if (!region || account_of_nvml(device, account) != NVML_SUCCESS)
        return false;
    if (*account >= DEVICES_MAX)
        return *account < 64 && state.settings.beyond_limited >> *account & 1;
    return state.settings.memory_bytes[*account] != LIMIT_NONE;
}

static nvmlReturn_t list_show(list_function *ask, nvmlDevice_t device, unsigned int *count, void *infos,
                              size_t entry_bytes, bool of_kernels)
{
    struct region *region = region_get();
    unsigned int account;
    if (!count || (*count > 0 && !infos) || !is_ours_to_say(region, device, &account))
        return ask(device, count, infos);
    struct list driver = {.entry_bytes = entry_bytes};
    nvmlReturn_t result = list_read(ask, device, &driver);
    if (result == NVML_SUCCESS)
        result = list_ours(region, account, &driver, of_kernels, count, infos);
    free(driver.entries);
    return result;
}

/* Of drivers from 535 on. Only those it lists itself, the others left out. */
EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_t *list)
{
    struct region *region = region_get();
    unsigned int account, kept = 0;
    nvmlReturn_t result = nvml()->nvmlDeviceGetRunningProcessDetailList(device, list);
    if (result != NVML_SUCCESS || !list || list->version != NVML_PROCESS_DETAIL_LIST_V1 || !list->procArray ||
        !is_ours_to_say(region, device, &account))
        return result;
    for (unsigned int i = 0; i < list->numProcArrayEntries; i++) {
        uint32_t pid = pid_in_container(region, list->procArray[i].pid);
        if (pid == 0)
            continue;
        list->procArray[kept] = list->procArray[i];
        list->procArray[kept++].pid = pid;
    }
    list->numProcArrayEntries = kept;
    return result;
}

#define LIST(symbol, info, of_kernels)                                                                                 \
    static nvmlReturn_t ask_##symbol(nvmlDevice_t device, unsigned int *count, void *infos)                            \
    {                                                                                                                  \
        return nvml()->symbol(device, count, infos);                                                                   \
    }                                                                                                                  \
    EXPORT nvmlReturn_t symbol(nvmlDevice_t device, unsigned int *count, info *infos)                                  \
    {                                                                                                                  \
        return list_show(ask_##symbol, device, count, infos, sizeof(info), of_kernels);                                \
    }

LIST(nvmlDeviceGetComputeRunningProcesses, nvmlProcessInfo_v1_t, true)
LIST(nvmlDeviceGetComputeRunningProcesses_v2, nvmlProcessInfo_t, true)
LIST(nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t, true)
LIST(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t, false)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_t, false)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t, false)
LIST(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t, false)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_t, false)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t, false)
