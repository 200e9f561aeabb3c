/* A CUDA program that does what it is told, a line at a time. ROUTE=link|dlsym|proc chooses how it finds the driver. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../library/cuda_abi.h"
#include "../library/nvml_abi.h"
#include "client_families.h"

/* clang-format off */
#define CUDA_FUNCTIONS(with)                                       \
    with(cuInit, cuInit)                                           \
    with(cuCtxSetCurrent, cuCtxSetCurrent)                         \
    with(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain)       \
    with(cuDeviceTotalMem, cuDeviceTotalMem_v2)                    \
    with(cuMemGetInfo, cuMemGetInfo_v2)                            \
    with(cuMemAlloc, cuMemAlloc_v2)                                \
    with(cuMemAllocManaged, cuMemAllocManaged)                     \
    with(cuMemAllocPitch, cuMemAllocPitch_v2)                      \
    with(cuMemAllocAsync, cuMemAllocAsync)                         \
    with(cuMemFreeAsync, cuMemFreeAsync)                           \
    with(cuDeviceGetDefaultMemPool, cuDeviceGetDefaultMemPool)     \
    with(cuMemAllocFromPoolAsync, cuMemAllocFromPoolAsync)         \
    with(cuMemFree, cuMemFree_v2)                                  \
    with(cuMemCreate, cuMemCreate)                                 \
    with(cuMemRelease, cuMemRelease)                               \
    with(cuMemMap, cuMemMap)                                       \
    with(cuMemUnmap, cuMemUnmap)                                   \
    with(cuMemRetainAllocationHandle, cuMemRetainAllocationHandle) \
    with(cuMemAddressReserve, cuMemAddressReserve)                 \
    with(cuCtxCreate, cuCtxCreate_v2)                              \
    with(cuCtxDestroy, cuCtxDestroy_v2)                            \
    with(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2)  \
    with(cuDevicePrimaryCtxReset, cuDevicePrimaryCtxReset_v2)
/* clang-format on */

#include "../lab/routes.h"
#include "client_launches.h"

static struct {
    __typeof__(&nvmlInit_v2) init;
    __typeof__(&nvmlDeviceGetHandleByIndex_v2) handle;
    __typeof__(&nvmlDeviceGetMemoryInfo) memory;
    __typeof__(&nvmlDeviceGetMemoryInfo_v2) memory_v2;
} nvml;

static CUcontext context;

static void *need(void *function)
{
    if (!function)
        exit(3);
    return function;
}

static void routes_choose(void)
{
    const char *route = getenv("ROUTE");
    if (!route_choose(route ? route : "link") || !families_route(route ? route : "link"))
        exit(3);
    void *management = need(dlopen("libnvidia-ml.so.1", RTLD_NOW));
    *(void **)&nvml.init = need(dlsym(management, "nvmlInit_v2"));
    *(void **)&nvml.handle = need(dlsym(management, "nvmlDeviceGetHandleByIndex_v2"));
    *(void **)&nvml.memory = need(dlsym(management, "nvmlDeviceGetMemoryInfo"));
    *(void **)&nvml.memory_v2 = need(dlsym(management, "nvmlDeviceGetMemoryInfo_v2"));
}

static CUresult start(int ordinal)
{
    CUresult result = cuda.cuInit(0);
    if (result == CUDA_SUCCESS)
        result = cuda.cuDevicePrimaryCtxRetain(&context, ordinal);
    if (result == CUDA_SUCCESS)
        result = cuda.cuCtxSetCurrent(context);
    return result;
}

struct hammer {
    pthread_t thread;
    unsigned int seed;
    unsigned long rounds, most_bytes, refused, wrong;
};

static void *hammer(void *argument)
{
    struct hammer *job = argument;
    CUdeviceptr held[8] = {0};
    cuda.cuCtxSetCurrent(context);
    for (unsigned long i = 0; i < job->rounds; i++) {
        CUdeviceptr *place = &held[rand_r(&job->seed) % 8];
        CUresult result = CUDA_SUCCESS;
        if (*place) {
            result = cuda.cuMemFree(*place);
            *place = 0;
        } else {
            result = cuda.cuMemAlloc(place, 1 + (size_t)rand_r(&job->seed) % job->most_bytes);
            if (result != CUDA_SUCCESS)
                *place = 0;
        }
        job->refused += result == CUDA_ERROR_OUT_OF_MEMORY;
        job->wrong += result != CUDA_SUCCESS && result != CUDA_ERROR_OUT_OF_MEMORY;
    }
    for (int i = 0; i < 8; i++)
        if (held[i])
            job->wrong += cuda.cuMemFree(held[i]) != CUDA_SUCCESS;
    return NULL;
}

static void hammers(int threads, unsigned long rounds, unsigned long most_bytes)
{
    struct hammer job[64] = {0};
    unsigned long refused = 0, wrong = 0;
    for (int i = 0; i < threads; i++) {
        job[i] = (struct hammer){.seed = (unsigned int)(getpid() * 64 + i), .rounds = rounds, .most_bytes = most_bytes};
        pthread_create(&job[i].thread, NULL, hammer, &job[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(job[i].thread, NULL);
        refused += job[i].refused;
        wrong += job[i].wrong;
    }
    printf("wrong %lu refused %lu\n", wrong, refused);
}

/* One thread ends the primary context while another brings it back, again and again; how often was a charge left? */
struct meeting {
    pthread_barrier_t barrier;
    unsigned long rounds, charges_left;
    CUdeviceptr pointer;
};

static void *leaving(void *argument)
{
    struct meeting *meeting = argument;
    CUcontext own;
    for (unsigned long i = 0; i < meeting->rounds; i++) {
        cuda.cuDevicePrimaryCtxRetain(&own, 0);
        cuda.cuCtxSetCurrent(own);
        cuda.cuMemAlloc(&meeting->pointer, 1);
        pthread_barrier_wait(&meeting->barrier);
        cuda.cuDevicePrimaryCtxRelease(0);
        pthread_barrier_wait(&meeting->barrier);
        pthread_barrier_wait(&meeting->barrier);
    }
    return NULL;
}

static void *coming(void *argument)
{
    struct meeting *meeting = argument;
    CUcontext own;
    size_t free_bytes, total_bytes;
    for (unsigned long i = 0; i < meeting->rounds; i++) {
        pthread_barrier_wait(&meeting->barrier);
        cuda.cuDevicePrimaryCtxRetain(&own, 0);
        cuda.cuCtxSetCurrent(own);
        pthread_barrier_wait(&meeting->barrier);
        bool early = cuda.cuMemFree(meeting->pointer) == CUDA_SUCCESS; /* then the context never ended */
        cuda.cuMemGetInfo(&free_bytes, &total_bytes);
        meeting->charges_left += !early && free_bytes != total_bytes;
        cuda.cuDevicePrimaryCtxRelease(0);
        pthread_barrier_wait(&meeting->barrier);
    }
    return NULL;
}

static void comings_and_goings(unsigned long rounds)
{
    struct meeting meeting = {.rounds = rounds};
    pthread_t threads[2];
    pthread_barrier_init(&meeting.barrier, NULL, 2);
    pthread_create(&threads[0], NULL, leaving, &meeting);
    pthread_create(&threads[1], NULL, coming, &meeting);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%lu\n", meeting.charges_left);
}

/* Cancelled at the first chance, which should not be in the middle of our call. */
static void *cancel_itself(void *nothing)
{
    size_t bytes;
    pthread_cancel(pthread_self());
    cuda.cuDeviceTotalMem(&bytes, 0);
    pthread_testcancel();
    return nothing;
}

static void cancel_one(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_itself, NULL);
    pthread_join(thread, NULL);
    puts("0");
}

/* A child that starts CUDA anew, allocates, answers with the result, and waits for its parent's end of the pipe. */
static int child_stop = -1;

static void fork_allocating(size_t bytes)
{
    int stop[2], answer[2];
    int result = -1;
    if (pipe(stop) != 0 || pipe(answer) != 0)
        exit(3);
    if (fork() == 0) {
        char end;
        CUdeviceptr pointer;
        close(stop[1]);
        result = start(0);
        if (result == CUDA_SUCCESS)
            result = cuda.cuMemAlloc(&pointer, bytes);
        if (write(answer[1], &result, sizeof result) != sizeof result)
            _exit(3);
        _exit(read(stop[0], &end, 1) != 0);
    }
    close(stop[0]);
    child_stop = stop[1];
    if (read(answer[0], &result, sizeof result) != sizeof result)
        exit(3);
    printf("%d\n", result);
}

static void nvml_print(unsigned int index, unsigned int version)
{
    nvmlDevice_t device;
    nvmlReturn_t result = nvml.init();
    if (result == NVML_SUCCESS)
        result = nvml.handle(index, &device);
    if (result == NVML_SUCCESS && version == 0) {
        nvmlMemory_t memory = {0, 0, 0};
        result = nvml.memory(device, &memory);
        printf("%d total %llu used %llu free %llu\n", result, memory.total, memory.used, memory.free);
        return;
    }
    nvmlMemory_v2_t memory = {.version = version};
    if (result == NVML_SUCCESS)
        result = nvml.memory_v2(device, &memory);
    printf("%d total %llu used %llu free %llu\n", result, memory.total, memory.used, memory.free);
}

/* The same of the newest list, as long as it may be. */
static void details_print(unsigned int index)
{
    nvmlReturn_t (*details)(nvmlDevice_t, nvmlProcessDetailList_t *) = NULL;
    nvmlProcessDetail_v1_t places[64];
    nvmlProcessDetailList_t list = {NVML_PROCESS_DETAIL_LIST_V1, 0, 64, places};
    nvmlDevice_t device;
    *(void **)&details = need(dlsym(dlopen("libnvidia-ml.so.1", RTLD_NOW), "nvmlDeviceGetRunningProcessDetailList"));
    nvmlReturn_t result = nvml.init();
    if (result == NVML_SUCCESS)
        result = nvml.handle(index, &device);
    if (result == NVML_SUCCESS)
        result = details(device, &list);
    printf("%d count %u", result, list.numProcArrayEntries);
    for (unsigned int i = 0; result == NVML_SUCCESS && i < list.numProcArrayEntries; i++)
        printf(" %u %llu", places[i].pid, places[i].usedGpuMemory);
    printf("\n");
}

/* Of the list with that name: the result, the count, and "pid bytes" of each. */
static void processes_print(const char *name, unsigned int index, unsigned int room, size_t entry_bytes)
{
    nvmlReturn_t (*list)(nvmlDevice_t, unsigned int *, void *) = NULL;
    unsigned char entries[64 * 32];
    nvmlDevice_t device;
    unsigned int count = room;
    *(void **)&list = need(dlsym(dlopen("libnvidia-ml.so.1", RTLD_NOW), name));
    nvmlReturn_t result = nvml.init();
    if (result == NVML_SUCCESS)
        result = nvml.handle(index, &device);
    if (result == NVML_SUCCESS)
        result = list(device, &count, room == 0 ? NULL : entries);
    printf("%d count %u", result, count);
    for (unsigned int i = 0; result == NVML_SUCCESS && i < count; i++) {
        nvmlProcessInfo_v1_t head;
        memcpy(&head, entries + i * entry_bytes, sizeof head);
        printf(" %u %llu", head.pid, head.usedGpuMemory);
    }
    printf("\n");
}

static void answer(const char *line)
{
    unsigned long long a = 0, b = 0, c = 0;
    char verb[32] = "", name[64];
    CUdeviceptr pointer = 0;
    size_t pitch = 0, free_bytes = 7, total_bytes = 7;
    sscanf(line, "%31s %llu %llu %llu", verb, &a, &b, &c);
    if (strcmp(verb, "start") == 0)
        printf("%d\n", start((int)a));
    else if (strcmp(verb, "init") == 0)
        printf("%d\n", cuda.cuInit(0));
    else if (strcmp(verb, "alloc") == 0) {
        CUresult result = cuda.cuMemAlloc(&pointer, a);
        printf("%d %llx\n", result, pointer);
    } else if (strcmp(verb, "alloc-to-null") == 0)
        printf("%d\n", cuda.cuMemAlloc(NULL, a));
    else if (strcmp(verb, "behind") == 0) {
        CUresult (*take)(size_t);
        *(void **)&take = need(dlsym(RTLD_DEFAULT, "hami_fake_take"));
        printf("%d\n", take(a));
    } else if (strcmp(verb, "managed") == 0) {
        CUresult result = cuda.cuMemAllocManaged(&pointer, a, 1);
        printf("%d %llx\n", result, pointer);
    } else if (strcmp(verb, "async") == 0) {
        CUresult result = cuda.cuMemAllocAsync(&pointer, a, NULL);
        printf("%d %llx\n", result, pointer);
    } else if (strcmp(verb, "pool") == 0) {
        CUmemoryPool pool;
        CUresult result = cuda.cuDeviceGetDefaultMemPool(&pool, (int)b);
        if (result == CUDA_SUCCESS)
            result = cuda.cuMemAllocFromPoolAsync(&pointer, a, pool, NULL);
        printf("%d %llx\n", result, result == CUDA_SUCCESS ? pointer : 0);
    } else if (strcmp(verb, "pitch") == 0) {
        CUresult result = cuda.cuMemAllocPitch(&pointer, &pitch, a, b, (unsigned int)c);
        printf("%d %llx\n", result, pointer);
    } else if (strcmp(verb, "free") == 0) {
        printf("%d\n", cuda.cuMemFree(strtoull(line + 5, NULL, 16)));
    } else if (strcmp(verb, "free-async") == 0) {
        printf("%d\n", cuda.cuMemFreeAsync(strtoull(line + 11, NULL, 16), NULL));
    } else if (strcmp(verb, "info") == 0) {
        CUresult result = cuda.cuMemGetInfo(&free_bytes, &total_bytes);
        printf("%d free %zu total %zu\n", result, free_bytes, total_bytes);
    } else if (strcmp(verb, "info-to-null") == 0) {
        CUresult first = cuda.cuMemGetInfo(NULL, &total_bytes), second = cuda.cuMemGetInfo(&free_bytes, NULL);
        printf("%d %d %d\n", first, second, cuda.cuMemGetInfo(NULL, NULL));
    } else if (strcmp(verb, "total") == 0) {
        CUresult result = cuda.cuDeviceTotalMem(&total_bytes, (int)a);
        printf("%d %zu\n", result, total_bytes);
    } else if (strcmp(verb, "total-to-null") == 0)
        printf("%d\n", cuda.cuDeviceTotalMem(NULL, (int)a));
    else if (strcmp(verb, "create") == 0) {
        CUmemAllocationProp prop = {.type = 1, .location = {CU_MEM_LOCATION_TYPE_DEVICE, (int)b}};
        CUmemGenericAllocationHandle handle = 0;
        CUresult result = cuda.cuMemCreate(&handle, a, &prop, 0);
        printf("%d %llx\n", result, handle);
    } else if (strcmp(verb, "reserve") == 0) {
        CUresult result = cuda.cuMemAddressReserve(&pointer, a, 0, 0, 0);
        printf("%d %llx\n", result, pointer);
    } else if (sscanf(line, "release %llx", &a) == 1)
        printf("%d\n", cuda.cuMemRelease(a));
    else if (sscanf(line, "map %llx %llu %llx", &a, &b, &c) == 3)
        printf("%d\n", cuda.cuMemMap(a, b, 0, c, 0));
    else if (sscanf(line, "unmap %llx %llu", &a, &b) == 2)
        printf("%d\n", cuda.cuMemUnmap(a, b));
    else if (sscanf(line, "retain %llx", &a) == 1) {
        CUmemGenericAllocationHandle handle = 0;
        CUresult result = cuda.cuMemRetainAllocationHandle(&handle, (void *)(uintptr_t)a);
        printf("%d %llx\n", result, handle);
    } else if (strcmp(verb, "context") == 0)
        printf("%d\n", cuda.cuCtxCreate(&context, 0, (int)a));
    else if (strcmp(verb, "destroy") == 0)
        printf("%d\n", cuda.cuCtxDestroy(context));
    else if (strcmp(verb, "primary-release") == 0)
        printf("%d\n", cuda.cuDevicePrimaryCtxRelease((int)a));
    else if (strcmp(verb, "primary-reset") == 0)
        printf("%d\n", cuda.cuDevicePrimaryCtxReset((int)a));
    else if (strcmp(verb, "no-context") == 0)
        printf("%d\n", cuda.cuCtxSetCurrent(NULL));
    else if (strcmp(verb, "nvml") == 0)
        nvml_print((unsigned int)a, 0);
    else if (strcmp(verb, "nvml-v2") == 0)
        nvml_print((unsigned int)a, b ? (unsigned int)b : NVML_MEMORY_V2);
    else if (strcmp(verb, "details") == 0)
        details_print((unsigned int)a);
    else if (sscanf(line, "processes %63s %llu %llu %llu", name, &a, &b, &c) == 4)
        processes_print(name, (unsigned int)a, (unsigned int)b, c);
    else if (strcmp(verb, "hammer") == 0)
        hammers((int)a, b, c);
    else if (strcmp(verb, "cancel") == 0)
        cancel_one();
    else if (strcmp(verb, "come-and-go") == 0)
        comings_and_goings(a);
    else if (strcmp(verb, "fork") == 0)
        fork_allocating(a);
    else if (strcmp(verb, "join") == 0) {
        int status = -1;
        close(child_stop);
        wait(&status);
        printf("%d\n", status);
    } else if (strcmp(verb, "exec") == 0) {
        execl("/proc/self/exe", "client", NULL);
    } else if (!families_answer(line) && !launches_answer(line))
        printf("what?\n");
    fflush(stdout);
}

int main(void)
{
    char line[512];
    setvbuf(stdin, NULL, _IONBF, 0); /* what comes after "exec" is for the next image */
    routes_choose();
    while (fgets(line, sizeof line, stdin))
        answer(line);
    return 0;
}
