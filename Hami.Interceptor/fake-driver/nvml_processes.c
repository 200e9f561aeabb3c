/* Who holds memory of a card. */
#define _GNU_SOURCE
#include "nvml.h"

#include <stdlib.h>
#include <string.h>

/* HAMI_FAKE_PID_SHIFT: processes are listed under pids of another namespace, so much greater than ours. */
static unsigned int shown_pid(uint32_t pid)
{
    const char *shift = getenv("HAMI_FAKE_PID_SHIFT");
    return pid + (shift ? (unsigned int)atoi(shift) : 0);
}

/* Those of a MIG device; of a card in MIG mode those of all its instances. */
static unsigned int find_holders(nvmlDevice_t device, nvmlProcessInfo_t *infos, unsigned int room)
{
    struct holder holders[PROCESSES_MAX];
    struct mig mig;
    unsigned int count = device->parent ? 0 : node_holders(&device->card, holders, PROCESSES_MAX);
    for (unsigned int i = 0; i < count && i < room; i++)
        infos[i] = (nvmlProcessInfo_t){shown_pid(holders[i].pid), holders[i].bytes, UINT32_MAX, UINT32_MAX};
    mig_look(&mig);
    for (int k = 0; k < mig.compute_count; k++) {
        const struct compute_instance *instance = &mig.compute[k];
        if (instance->card != device->card.number || !cards_shows(instance->uuid) ||
            (device->parent && mig_device(&mig, device) != instance))
            continue;
        struct card card;
        mig_as_card(&mig, instance, &card);
        unsigned int found = node_holders(&card, holders, PROCESSES_MAX);
        for (unsigned int i = 0; i < found; i++, count++)
            if (count < room)
                infos[count] = (nvmlProcessInfo_t){shown_pid(holders[i].pid), holders[i].bytes, instance->gpu_instance,
                                                   instance->id};
    }
    return count;
}

static nvmlReturn_t list_holders(const char *symbol, nvmlDevice_t device, unsigned int *count, void *infos,
                                 size_t entry_bytes)
{
    nvmlReturn_t refused = nvml_enter(symbol, device && count && (*count == 0 || infos));
    if (refused != NVML_SUCCESS)
        return refused;
    node_injected("nvmlDeviceGetComputeRunningProcesses"); /* to be slow */
    nvmlProcessInfo_t *all = calloc(PROCESSES_MAX, sizeof *all);
    if (!all)
        return NVML_ERROR_MEMORY;
    unsigned int found = find_holders(device, all, PROCESSES_MAX), room = *count;
    *count = found;
    for (unsigned int i = 0; i < found && found <= room; i++) {
        unsigned char *place = (unsigned char *)infos + i * entry_bytes;
        memset(place, 0, entry_bytes);
        memcpy(place, &all[i], entry_bytes < sizeof all[i] ? entry_bytes : sizeof all[i]);
    }
    free(all);
    return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(nvmlDevice_t device, unsigned int *count,
                                                         nvmlProcessInfo_v1_t *infos)
{
    return list_holders(__func__, device, count, infos, sizeof *infos);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
                                                            nvmlProcessInfo_t *infos)
{
    return list_holders(__func__, device, count, infos, sizeof *infos);
}

/* HAMI_FAKE_WIDE=1: with eight bytes more per entry, as drivers 535.43 to 535.86 write it. */
EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                            nvmlProcessInfo_t *infos)
{
    return list_holders(__func__, device, count, infos, getenv("HAMI_FAKE_WIDE") ? 32 : sizeof *infos);
}

/* Nobody draws here, and there is no MPS. */
static nvmlReturn_t list_nobody(const char *symbol, nvmlDevice_t device, unsigned int *count)
{
    nvmlReturn_t result = nvml_enter(symbol, device && count);
    if (result == NVML_SUCCESS)
        *count = 0;
    return result;
}

#define NOBODY(symbol, info)                                                                                           \
    EXPORT nvmlReturn_t symbol(nvmlDevice_t device, unsigned int *count, info *infos)                                  \
    {                                                                                                                  \
        (void)infos;                                                                                                   \
        return list_nobody(__func__, device, count);                                                                   \
    }

NOBODY(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t)
NOBODY(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_t)
NOBODY(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_t)
NOBODY(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t)

EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_t *list)
{
    nvmlProcessInfo_t infos[PROCESSES_MAX];
    unsigned int count = PROCESSES_MAX;
    if (!list)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (list->version != NVML_PROCESS_DETAIL_LIST_V1)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = list_holders(__func__, device, &count, infos, sizeof *infos);
    if (result != NVML_SUCCESS)
        return result;
    unsigned int room = list->numProcArrayEntries;
    list->numProcArrayEntries = list->mode == 0 ? count : 0;
    if (list->numProcArrayEntries > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < list->numProcArrayEntries; i++)
        list->procArray[i] = (nvmlProcessDetail_v1_t){infos[i].pid, infos[i].usedGpuMemory, infos[i].gpuInstanceId,
                                                      infos[i].computeInstanceId, 0};
    return NVML_SUCCESS;
}
