/* A libnvidia-ml.so.1 that pretends, over the same node as the pretended libcuda: its start, and which cards there are.
 */
#define _GNU_SOURCE
#include "nvml.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    int references;
    int count, all_count;
    struct nvmlDevice_st devices[CARDS_MAX];
    struct nvmlDevice_st *instances;
    struct card all[CARDS_MAX];
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- failures on demand ---- */

/* A file beside the list of cards; while it is there, the driver is not. */
bool driver_is_lost(void)
{
    char path[PATH_BYTES];
    cards_beside(path, ".lost");
    return access(path, F_OK) == 0;
}

static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;

/* As HAMI_FAKE_FAIL, from a file beside the list of cards; a text that is new is counted anew. */
static int injected_by_file(const char *symbol)
{
    static _Atomic unsigned int calls[INJECTIONS_MAX];
    static char known[1024];
    char path[PATH_BYTES], text[sizeof known] = "";
    cards_beside(path, ".fail");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    pthread_mutex_lock(&failing);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (strcmp(text, known) != 0) {
        memset(calls, 0, sizeof calls);
        strcpy(known, text);
    }
    int injected = node_injected_by(known, symbol, calls);
    pthread_mutex_unlock(&failing);
    return injected;
}

static int injected(const char *symbol)
{
    int code = node_injected(symbol);
    return code ? code : injected_by_file(symbol);
}

static void forget_locks(void)
{
    pthread_mutex_init(&failing, NULL); /* a thread that the child has not may have held them */
    pthread_mutex_init(&library.lock, NULL);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_locks);
}

nvmlReturn_t nvml_enter(const char *symbol, bool is_right)
{
    if (library.references == 0)
        return NVML_ERROR_UNINITIALIZED;
    if (driver_is_lost())
        return NVML_ERROR_GPU_IS_LOST;
    int code = injected(symbol);
    return code ? code : is_right ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

/* ---- start ---- */

EXPORT nvmlReturn_t nvmlInit_v2(void)
{
    int code = injected(__func__);
    if (code)
        return code;
    if (driver_is_lost())
        return NVML_ERROR_DRIVER_NOT_LOADED;
    static struct card cards[CARDS_MAX];
    nvmlReturn_t result = NVML_SUCCESS;
    pthread_mutex_lock(&library.lock);
    if (library.references == 0) {
        library.all_count = cards_all(library.all);
        library.count = cards_visible(cards);
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
    case NVML_ERROR_NOT_SUPPORTED:
        return "Not Supported";
    case NVML_ERROR_NO_PERMISSION:
        return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND:
        return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE:
        return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED:
        return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT:
        return "Timeout";
    case NVML_ERROR_GPU_IS_LOST:
        return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED:
        return "GPU requires restart";
    case NVML_ERROR_IN_USE:
        return "In use by another client";
    case NVML_ERROR_INSUFFICIENT_RESOURCES:
        return "Insufficient Resources";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH:
        return "Argument Version Mismatch";
    default:
        return "Unknown Error";
    }
}

nvmlReturn_t text_out(char *out, unsigned int length, const char *text)
{
    if (!out)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (strlen(text) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(out, text);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    ENTER(version);
    return text_out(version, length, "570.86.15");
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    if (!version)
        return NVML_ERROR_INVALID_ARGUMENT;
    *version = 12080;
    return NVML_SUCCESS;
}

/* ---- handles ---- */

const struct card *node_all(int *count)
{
    *count = library.all_count;
    return library.all;
}

nvmlDevice_t device_numbered(unsigned int number)
{
    for (int i = 0; i < library.count; i++)
        if (library.devices[i].card.number == number)
            return &library.devices[i];
    return NULL;
}

nvmlDevice_t device_named(const char *uuid)
{
    unsigned char wanted[16], bytes[16];
    uuid_bytes(uuid, wanted);
    for (int i = 0; i < library.count; i++) {
        uuid_bytes(library.devices[i].card.uuid, bytes);
        if (strcmp(library.devices[i].card.uuid, uuid) == 0 || memcmp(bytes, wanted, 16) == 0)
            return &library.devices[i];
    }
    return NULL;
}

nvmlDevice_t device_of_instance(nvmlDevice_t parent, unsigned int gpu_instance, unsigned int compute_instance)
{
    pthread_mutex_lock(&library.lock);
    nvmlDevice_t device = library.instances;
    while (device && !(device->parent == parent && device->gpu_instance == gpu_instance &&
                       device->compute_instance == compute_instance))
        device = device->next;
    if (!device && (device = calloc(1, sizeof *device))) {
        device->card = parent->card;
        device->parent = parent;
        device->gpu_instance = gpu_instance;
        device->compute_instance = compute_instance;
        device->next = library.instances;
        library.instances = device;
    }
    pthread_mutex_unlock(&library.lock);
    return device;
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    ENTER(count);
    *count = (unsigned int)library.count;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    ENTER(device && index < (unsigned int)library.count);
    *device = &library.devices[index];
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    ENTER(uuid && device);
    struct mig mig;
    mig_look(&mig);
    const struct compute_instance *instance = mig_by_uuid(&mig, uuid);
    if (instance) {
        nvmlDevice_t parent = device_numbered(instance->card);
        bool is_seen = parent && cards_shows(uuid);
        *device = is_seen ? device_of_instance(parent, instance->gpu_instance, instance->id) : NULL;
    } else
        *device = device_named(uuid);
    return *device ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}
