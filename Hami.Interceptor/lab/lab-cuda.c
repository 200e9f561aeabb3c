/* A small CUDA program for containers of the lab: tries the memory it was given, by the route one names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../library/cuda_abi.h"
#include "../library/nvml_abi.h"

enum { MIB = 1 << 20, EXIT_OUT_OF_MEMORY = 2 };

/* clang-format off */
#define CUDA_FUNCTIONS(with)                                      \
    with(cuInit, cuInit)                                          \
    with(cuGetErrorName, cuGetErrorName)                          \
    with(cuDeviceGetCount, cuDeviceGetCount)                      \
    with(cuDeviceGet, cuDeviceGet)                                \
    with(cuDeviceGetUuid, cuDeviceGetUuid_v2)                     \
    with(cuDeviceTotalMem, cuDeviceTotalMem_v2)                   \
    with(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain)      \
    with(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2) \
    with(cuCtxSetCurrent, cuCtxSetCurrent)                        \
    with(cuMemGetInfo, cuMemGetInfo_v2)                           \
    with(cuMemAlloc, cuMemAlloc_v2)                               \
    with(cuMemFree, cuMemFree_v2)
/* clang-format on */

#include "routes.h"

static const char *error_name(CUresult error)
{
    const char *name = NULL;
    return cuda.cuGetErrorName(error, &name) == CUDA_SUCCESS && name ? name : "CUDA_ERROR_UNKNOWN";
}

static int fail(const char *what, CUresult error)
{
    fprintf(stderr, "lab-cuda: %s: %s\n", what, error_name(error));
    return EXIT_FAILURE;
}

static CUresult device_open(int ordinal, CUdevice *device)
{
    CUcontext context;
    CUresult result = cuda.cuDeviceGet(device, ordinal);
    if (result == CUDA_SUCCESS)
        result = cuda.cuDevicePrimaryCtxRetain(&context, *device);
    return result == CUDA_SUCCESS ? cuda.cuCtxSetCurrent(context) : result;
}

struct nvml_card {
    char uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE];
    unsigned long long total_bytes;
};

/* The same card seen through NVML; false where there is no NVML. */
static bool nvml_look(const char *uuid, struct nvml_card *card)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library)
        return false;
    __typeof__(&nvmlInit_v2) start;
    __typeof__(&nvmlDeviceGetHandleByUUID) by_uuid;
    __typeof__(&nvmlDeviceGetUUID) get_uuid;
    __typeof__(&nvmlDeviceGetMemoryInfo) get_memory;
    *(void **)&start = dlsym(library, "nvmlInit_v2");
    *(void **)&by_uuid = dlsym(library, "nvmlDeviceGetHandleByUUID");
    *(void **)&get_uuid = dlsym(library, "nvmlDeviceGetUUID");
    *(void **)&get_memory = dlsym(library, "nvmlDeviceGetMemoryInfo");
    nvmlDevice_t device;
    nvmlMemory_t memory;
    if (!start || !by_uuid || !get_uuid || !get_memory || start() != NVML_SUCCESS ||
        by_uuid(uuid, &device) != NVML_SUCCESS || get_uuid(device, card->uuid, sizeof card->uuid) != NVML_SUCCESS ||
        get_memory(device, &memory) != NVML_SUCCESS)
        return false;
    card->total_bytes = memory.total;
    return true;
}

static CUresult card_look(CUdevice device, struct nvml_card *card)
{
    CUuuid uuid;
    CUresult result = cuda.cuDeviceGetUuid(&uuid, device);
    if (result != CUDA_SUCCESS)
        return result;
    char *at = card->uuid + sprintf(card->uuid, "GPU-");
    for (int i = 0; i < 16; i++)
        at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid.bytes[i]);
    struct nvml_card seen;
    card->total_bytes = 0;
    if (nvml_look(card->uuid, &seen) || nvml_look(memcpy(card->uuid, "MIG-", 4), &seen)) /* CUDA does not say which */
        *card = seen;
    return CUDA_SUCCESS;
}

static void hold(const char *seconds)
{
    if (seconds) {
        sleep((unsigned int)strtoul(seconds, NULL, 10));
        return;
    }
    sigset_t stop;
    int number;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    sigwait(&stop, &number);
}

static int run_alloc(unsigned long long mib, int ordinal, bool holding, const char *hold_seconds)
{
    CUdevice device;
    CUdeviceptr pointer;
    CUresult result = device_open(ordinal, &device);
    if (result == CUDA_SUCCESS)
        result = cuda.cuMemAlloc(&pointer, mib * MIB);
    else if (result != CUDA_ERROR_OUT_OF_MEMORY) /* not even room for a context */
        return fail("the device cannot be used", result);
    puts(error_name(result));
    fflush(stdout);
    if (result == CUDA_SUCCESS && holding)
        hold(hold_seconds);
    if (result == CUDA_SUCCESS)
        cuda.cuMemFree(pointer);
    return result == CUDA_SUCCESS               ? EXIT_SUCCESS
           : result == CUDA_ERROR_OUT_OF_MEMORY ? EXIT_OUT_OF_MEMORY
                                                : EXIT_FAILURE;
}

static int info_card(int ordinal)
{
    CUdevice device;
    struct nvml_card card;
    size_t free_bytes, total_bytes;
    CUresult result = device_open(ordinal, &device);
    if (result == CUDA_SUCCESS)
        result = card_look(device, &card);
    if (result == CUDA_SUCCESS)
        result = cuda.cuMemGetInfo(&free_bytes, &total_bytes);
    if (result != CUDA_SUCCESS)
        return fail("the device cannot be read", result);
    printf("%s %zu %zu\n", card.uuid, total_bytes / MIB, free_bytes / MIB);
    return EXIT_SUCCESS;
}

static int probe_card(int ordinal)
{
    CUdevice device;
    struct nvml_card card;
    size_t total_bytes;
    CUdeviceptr pointer;
    CUresult result = device_open(ordinal, &device);
    if (result == CUDA_SUCCESS)
        result = card_look(device, &card);
    if (result == CUDA_SUCCESS)
        result = cuda.cuDeviceTotalMem(&total_bytes, device);
    if (result != CUDA_SUCCESS)
        return fail("the device cannot be read", result);
    CUresult within = cuda.cuMemAlloc(&pointer, total_bytes / MIB / 2 * MIB);
    if (within == CUDA_SUCCESS)
        cuda.cuMemFree(pointer);
    CUresult beyond = cuda.cuMemAlloc(&pointer, (total_bytes / MIB + 1) * MIB);
    if (beyond == CUDA_SUCCESS)
        cuda.cuMemFree(pointer);
    printf("{\"device\":%d,\"uuid\":\"%s\",\"totalMiB\":%zu,\"nvmlTotalMiB\":%llu,\"within\":\"%s\",", ordinal,
           card.uuid, total_bytes / MIB, card.total_bytes / MIB, error_name(within));
    printf("\"beyond\":\"%s\"}\n", error_name(beyond));
    return EXIT_SUCCESS;
}

static int each_card(int (*look)(int ordinal))
{
    int count = 0, outcome = EXIT_SUCCESS;
    CUresult result = cuda.cuDeviceGetCount(&count);
    if (result != CUDA_SUCCESS)
        return fail("the devices cannot be counted", result);
    for (int i = 0; i < count && outcome == EXIT_SUCCESS; i++)
        outcome = look(i);
    fflush(stdout);
    return outcome;
}

static int usage(void)
{
    fputs("usage: lab-cuda alloc <MiB> [--device N] [--hold [seconds]] | info | probe   [--via link|dlsym|proc]\n",
          stderr);
    return EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    const char *verb = NULL, *amount = NULL, *route = "link", *hold_seconds = NULL;
    int ordinal = 0;
    bool holding = false;
    for (int i = 1; i < count; i++) {
        const char *next = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(arguments[i], "--via") == 0 && next)
            route = arguments[++i];
        else if (strcmp(arguments[i], "--device") == 0 && next)
            ordinal = atoi(arguments[++i]);
        else if (strcmp(arguments[i], "--hold") == 0) {
            holding = true;
            if (next && *next >= '0' && *next <= '9')
                hold_seconds = arguments[++i];
        } else if (!verb)
            verb = arguments[i];
        else if (!amount)
            amount = arguments[i];
        else
            return usage();
    }
    bool allocating = verb && strcmp(verb, "alloc") == 0;
    bool probing = verb && strcmp(verb, "probe") == 0;
    if (allocating ? !amount : !(probing || (verb && strcmp(verb, "info") == 0)))
        return usage();
    if (!route_choose(route)) {
        fprintf(stderr, "lab-cuda: the driver cannot be reached by --via %s\n", route);
        return EXIT_FAILURE;
    }
    CUresult result = cuda.cuInit(0);
    if (result != CUDA_SUCCESS)
        return fail("the driver does not start", result);
    if (allocating)
        return run_alloc(strtoull(amount, NULL, 10), ordinal, holding, hold_seconds);
    return each_card(probing ? probe_card : info_card);
}
