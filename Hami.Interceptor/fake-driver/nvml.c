/* A libnvidia-ml.so.1 that pretends, over the same node as the pretended libcuda. */
#define _GNU_SOURCE
#include "nvml.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "card_time.h"

static struct {
    pthread_mutex_t lock;
    int references;
    int count;
    struct nvmlDevice_st devices[CARDS_MAX];
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};

EXPORT nvmlReturn_t nvmlInit_v2(void)
{
    int injected = node_injected(__func__);
    if (injected)
        return injected;
    nvmlReturn_t result = NVML_SUCCESS;
    pthread_mutex_lock(&library.lock);
    if (library.references == 0) {
        struct card cards[CARDS_MAX];
        library.count = node_cards(cards);
        for (int i = 0; i < library.count; i++)
            library.devices[i] = (struct nvmlDevice_st){.card = cards[i], .index = (unsigned int)i};
        if (library.count < 0)
            result = NVML_ERROR_DRIVER_NOT_LOADED;
    }
    if (result == NVML_SUCCESS)
        library.references++;
    pthread_mutex_unlock(&library.lock);
    return result;
}

EXPORT nvmlReturn_t nvmlInit(void)
{
    return nvmlInit_v2();
}

EXPORT nvmlReturn_t nvmlShutdown(void)
{
    pthread_mutex_lock(&library.lock);
    nvmlReturn_t result = library.references > 0 ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
    if (result == NVML_SUCCESS)
        library.references--;
    pthread_mutex_unlock(&library.lock);
    return result;
}

EXPORT const char *nvmlErrorString(nvmlReturn_t result)
{
    switch (result) {
    case NVML_SUCCESS:
        return "Success";
    case NVML_ERROR_UNINITIALIZED:
        return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT:
        return "Invalid Argument";
    case NVML_ERROR_NOT_FOUND:
        return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE:
        return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED:
        return "Driver Not Loaded";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
        return "Argument Version Mismatch";
    default:
        return "Unknown Error";
    }
}

static nvmlReturn_t text_out(char *out, unsigned int length, const char *text)
{
    if (!out)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(out, text);
    return NVML_SUCCESS;
}

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (library.references == 0)                                                                                   \
            return NVML_ERROR_UNINITIALIZED;                                                                           \
        if (!(condition))                                                                                              \
            return NVML_ERROR_INVALID_ARGUMENT;                                                                        \
    } while (0)

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    REQUIRE(version);
    return text_out(version, length, "570.86.15");
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    if (!version)
        return NVML_ERROR_INVALID_ARGUMENT;
    *version = 12080;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    REQUIRE(count);
    *count = (unsigned int)library.count;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    REQUIRE(device && index < (unsigned int)library.count);
    *device = &library.devices[index];
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    REQUIRE(uuid && device);
    unsigned char wanted[16], bytes[16];
    uuid_bytes(uuid, wanted);
    for (int i = 0; i < library.count; i++) {
        uuid_bytes(library.devices[i].card.uuid, bytes);
        if (strcmp(library.devices[i].card.uuid, uuid) == 0 || memcmp(bytes, wanted, 16) == 0) {
            *device = &library.devices[i];
            return NVML_SUCCESS;
        }
    }
    return NVML_ERROR_NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    REQUIRE(device);
    return text_out(name, length, device->card.model);
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    REQUIRE(device);
    return text_out(uuid, length, device->card.uuid);
}

EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    REQUIRE(device && index);
    *index = device->index;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
    REQUIRE(device && minor);
    *minor = device->card.number;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    REQUIRE(device && memory);
    memory->total = device->card.memory_bytes;
    memory->used = node_used(&device->card);
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    REQUIRE(device && memory);
    if (memory->version != NVML_MEMORY_V2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    memory->total = device->card.memory_bytes;
    memory->reserved = 0;
    memory->used = node_used(&device->card);
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    REQUIRE(device && utilization);
    *utilization = (nvmlUtilization_t){0, 0};
    return NVML_SUCCESS;
}

/* The latest whole sample, when it is younger than what was seen. */
EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples,
                                                    unsigned int *count, unsigned long long since_us)
{
    REQUIRE(device && count && (*count == 0 || samples));
    int injected = node_injected(__func__);
    if (injected)
        return injected;
    struct busy busy[BUSY_MAX];
    struct timespec now;
    uint64_t end_ns;
    unsigned int found = card_busy(&device->card, busy, BUSY_MAX, &end_ns), room = *count;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t real_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    uint64_t end_us = real_us - (card_now_ns() - end_ns) / 1000;
    if (found == 0 || end_us <= since_us + 1000) /* the two clocks are not read at once */
        return NVML_ERROR_NOT_FOUND;
    *count = found;
    if (found > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < found; i++)
        samples[i] = (nvmlProcessUtilizationSample_t){busy[i].pid, end_us, busy[i].percent, 0, 0, 0};
    return NVML_SUCCESS;
}
