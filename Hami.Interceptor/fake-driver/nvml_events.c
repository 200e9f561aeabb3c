/* Chapter "Event Handling Methods" of NVML. What happens is appended to a file beside the list of cards, a line each:
 * xid <uuid> <number> [<gpu instance> <compute instance>]. A set sees what comes after it was made. */
#define _GNU_SOURCE
#include "nvml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "card_time.h"

struct nvmlEventSet_st {
    pthread_mutex_t lock;
    long read_bytes; /* of the file */
    unsigned long long types[CARDS_MAX];
};

enum { ALL_TYPES = nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypeXidCriticalError };

EXPORT nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    ENTER(set);
    char path[PATH_BYTES];
    struct stat file;
    cards_beside(path, ".events");
    nvmlEventSet_t made = calloc(1, sizeof *made);
    if (!made)
        return NVML_ERROR_MEMORY;
    pthread_mutex_init(&made->lock, NULL);
    made->read_bytes = stat(path, &file) == 0 ? (long)file.st_size : 0;
    *set = made;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types)
{
    ENTER_CARD(device && types);
    if (device->card.events_are_unsupported)
        return NVML_ERROR_NOT_SUPPORTED;
    *types = ALL_TYPES;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set)
{
    ENTER_CARD(device && set);
    if (device->card.events_are_unsupported || (types & ~(unsigned long long)ALL_TYPES) != 0)
        return NVML_ERROR_NOT_SUPPORTED;
    pthread_mutex_lock(&set->lock);
    set->types[device->card.number] |= types;
    pthread_mutex_unlock(&set->lock);
    return NVML_SUCCESS;
}

static bool event_read(nvmlEventSet_t set, const char *line, nvmlEventData_t *event)
{
    char uuid[UUID_BYTES];
    unsigned long long number;
    unsigned int gpu_instance = UINT32_MAX, compute_instance = UINT32_MAX;
    if (sscanf(line, "xid %95s %llu %u %u", uuid, &number, &gpu_instance, &compute_instance) < 2)
        return false;
    nvmlDevice_t device = device_named(uuid);
    if (!device || (set->types[device->card.number] & nvmlEventTypeXidCriticalError) == 0)
        return false;
    *event = (nvmlEventData_t){device, nvmlEventTypeXidCriticalError, number, gpu_instance, compute_instance};
    return true;
}

/* The next line that is whole and of interest. */
static bool next_event(nvmlEventSet_t set, nvmlEventData_t *event)
{
    char path[PATH_BYTES], line[512];
    bool found = false;
    cards_beside(path, ".events");
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    pthread_mutex_lock(&set->lock);
    if (fseek(file, set->read_bytes, SEEK_SET) == 0)
        while (!found && fgets(line, sizeof line, file) && strchr(line, '\n')) {
            set->read_bytes = ftell(file);
            found = event_read(set, line, event);
        }
    pthread_mutex_unlock(&set->lock);
    fclose(file);
    return found;
}

EXPORT nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *event, unsigned int timeout_ms)
{
    ENTER(set && event);
    uint64_t until_ns = card_now_ns() + (uint64_t)timeout_ms * 1000000;
    while (!next_event(set, event)) {
        if (driver_is_lost())
            return NVML_ERROR_GPU_IS_LOST;
        if (card_now_ns() >= until_ns)
            return NVML_ERROR_TIMEOUT;
        /* The real one sleeps in the kernel: a shorter nap would be most of what an idle agent is measured to take. */
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
    ENTER(set);
    pthread_mutex_destroy(&set->lock);
    free(set);
    return NVML_SUCCESS;
}
