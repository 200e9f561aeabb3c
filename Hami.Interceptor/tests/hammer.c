/* The library's own sources and this, in one program, so that sanitizers can look at every access. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../library/cuda_abi.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: not so: %s\n", __LINE__, #condition);                                                     \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { THREADS = 8 };

static int rounds;

static struct {
    __typeof__(&cuInit) init;
    __typeof__(&cuCtxSetCurrent) set_current;
    __typeof__(&cuMemAddressReserve) reserve;
    __typeof__(&cuStreamCreate) stream_create;
    __typeof__(&cuStreamDestroy_v2) stream_destroy;
    __typeof__(&cuStreamBeginCapture_v2) begin_capture;
    __typeof__(&cuStreamEndCapture) end_capture;
    CUcontext context;
} driver;

static void find_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    CHECK(library);
    *(void **)&driver.init = dlsym(library, "cuInit");
    *(void **)&driver.set_current = dlsym(library, "cuCtxSetCurrent");
    *(void **)&driver.reserve = dlsym(library, "cuMemAddressReserve");
    *(void **)&driver.stream_create = dlsym(library, "cuStreamCreate");
    *(void **)&driver.stream_destroy = dlsym(library, "cuStreamDestroy_v2");
    *(void **)&driver.begin_capture = dlsym(library, "cuStreamBeginCapture_v2");
    *(void **)&driver.end_capture = dlsym(library, "cuStreamEndCapture");
    CHECK(driver.init(0) == CUDA_SUCCESS);
    CHECK(cuDevicePrimaryCtxRetain(&driver.context, 0) == CUDA_SUCCESS);
}

static void virtual_memory(void)
{
    CUmemAllocationProp prop = {.type = 1, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemGenericAllocationHandle handle, again;
    CUdeviceptr address;
    if (cuMemCreate(&handle, 1 << 20, &prop, 0) != CUDA_SUCCESS)
        return;
    CHECK(driver.reserve(&address, 1 << 20, 0, 0, 0) == CUDA_SUCCESS);
    CHECK(cuMemMap(address, 1 << 20, 0, handle, 0) == CUDA_SUCCESS);
    CHECK(cuMemRelease(handle) == CUDA_SUCCESS);
    CHECK(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)address) == CUDA_SUCCESS);
    CHECK(cuMemUnmap(address, 1 << 20) == CUDA_SUCCESS);
    CHECK(cuMemRelease(again) == CUDA_SUCCESS);
}

/* With a share: the marks of many threads in one context's streams, contexts that come and go, captures. */
static void launches(unsigned int seed)
{
    CUcontext own;
    CUstream stream;
    CUgraph graph;
    int own_context = seed % 8 == 0;
    if (own_context && cuCtxCreate_v2(&own, 0, 0) != CUDA_SUCCESS)
        return;
    CHECK(driver.stream_create(&stream, 0) == CUDA_SUCCESS);
    for (int i = 0; i < 20; i++)
        CHECK(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, i % 2 ? stream : NULL, NULL, NULL) == CUDA_SUCCESS);
    CHECK(cuGraphLaunch((CUgraphExec)(uintptr_t)1, stream) == CUDA_SUCCESS);
    CHECK(driver.begin_capture(stream, 0) == CUDA_SUCCESS);
    CHECK(cuLaunchCooperativeKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL) == CUDA_SUCCESS);
    CHECK(driver.end_capture(stream, &graph) == CUDA_SUCCESS);
    CHECK(driver.stream_destroy(stream) == CUDA_SUCCESS);
    if (own_context)
        CHECK(cuCtxDestroy_v2(own) == CUDA_SUCCESS && driver.set_current(driver.context) == CUDA_SUCCESS);
}

static void *hammer(void *argument)
{
    unsigned int seed = (unsigned int)(uintptr_t)argument;
    CUdeviceptr held[64] = {0};
    CHECK(driver.set_current(driver.context) == CUDA_SUCCESS);
    for (int i = 0; i < rounds; i++) {
        CUdeviceptr *place = &held[rand_r(&seed) % 64];
        size_t free_bytes, total_bytes;
        if (*place) {
            CHECK(cuMemFree_v2(*place) == CUDA_SUCCESS);
            *place = 0;
        } else if (cuMemAlloc_v2(place, 1 + (size_t)rand_r(&seed) % (4 << 20)) != CUDA_SUCCESS) {
            *place = 0;
        }
        if (i % 50 == 0) {
            CHECK(cuMemGetInfo_v2(&free_bytes, &total_bytes) == CUDA_SUCCESS);
            CHECK(free_bytes <= total_bytes && total_bytes == 64 << 20);
            virtual_memory();
            launches((unsigned int)rand_r(&seed));
        }
    }
    for (int i = 0; i < 64; i++)
        if (held[i])
            CHECK(cuMemFree_v2(held[i]) == CUDA_SUCCESS);
    return NULL;
}

/* A child forked while other threads are in the middle of things starts anew and ends well. */
static void fork_one(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        CUdeviceptr pointer;
        bool well = driver.init(0) == CUDA_SUCCESS && cuDevicePrimaryCtxRetain(&driver.context, 0) == CUDA_SUCCESS &&
                    driver.set_current(driver.context) == CUDA_SUCCESS;
        CUresult result = well ? cuMemAlloc_v2(&pointer, 1) : CUDA_ERROR_UNKNOWN;
        for (int i = 0; i < 5 && well; i++)
            well = cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL) == CUDA_SUCCESS;
        if (!well)
            _exit(1);
        _exit(result != CUDA_SUCCESS && result != CUDA_ERROR_OUT_OF_MEMORY);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    rounds = count > 1 && strcmp(arguments[1], "briefly") == 0 ? 1 : 3000;
    find_driver();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, hammer, (void *)(uintptr_t)(i + 1)) == 0);
    bool forks_late =
        count > 1 && strcmp(arguments[1], "forks-late") == 0; /* sanitizers follow no fork out of threads */
    for (int i = 0; i < 50 && !forks_late; i++)
        fork_one();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 50 && forks_late; i++)
        fork_one();
    size_t free_bytes, total_bytes;
    CHECK(driver.set_current(driver.context) == CUDA_SUCCESS);
    CHECK(cuMemGetInfo_v2(&free_bytes, &total_bytes) == CUDA_SUCCESS && free_bytes == total_bytes);
    return 0;
}
