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
#include "../library/nvml_abi.h"

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
    __typeof__(&cuDeviceGetDefaultMemPool) default_pool;
    __typeof__(&cuGraphCreate) graph_create;
    __typeof__(&cuGraphDestroy) graph_destroy;
    __typeof__(&cuGraphAddMemAllocNode) graph_allocate;
    CUcontext context;
    nvmlDevice_t device;
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
    *(void **)&driver.default_pool = dlsym(library, "cuDeviceGetDefaultMemPool");
    *(void **)&driver.graph_create = dlsym(library, "cuGraphCreate");
    *(void **)&driver.graph_destroy = dlsym(library, "cuGraphDestroy");
    *(void **)&driver.graph_allocate = dlsym(library, "cuGraphAddMemAllocNode");
    CHECK(driver.init(0) == CUDA_SUCCESS);
    CHECK(cuDevicePrimaryCtxRetain(&driver.context, 0) == CUDA_SUCCESS);

    void *management = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    CHECK(management);
    __typeof__(&nvmlInit_v2) init = (__typeof__(init))dlsym(management, "nvmlInit_v2");
    __typeof__(&nvmlDeviceGetHandleByIndex_v2) handle =
        (__typeof__(handle))dlsym(management, "nvmlDeviceGetHandleByIndex_v2");
    CHECK(init() == NVML_SUCCESS && handle(0, &driver.device) == NVML_SUCCESS);
}

static void processes_list(void)
{
    nvmlProcessInfo_t infos[256];
    unsigned int count = 256;
    CHECK(nvmlDeviceGetComputeRunningProcesses_v3(driver.device, &count, infos) == NVML_SUCCESS && count <= 256);
    for (unsigned int i = 0; i < count; i++)
        CHECK(infos[i].pid != 0);
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
    CUgraphExec exec;
    int own_context = seed % 8 == 0;
    if (own_context && cuCtxCreate_v2(&own, 0, 0) != CUDA_SUCCESS)
        return;
    CHECK(driver.stream_create(&stream, 0) == CUDA_SUCCESS);
    for (int i = 0; i < 20; i++)
        CHECK(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, i % 2 ? stream : NULL, NULL, NULL) == CUDA_SUCCESS);
    CHECK(driver.begin_capture(stream, CU_STREAM_CAPTURE_MODE_RELAXED) == CUDA_SUCCESS);
    CHECK(cuLaunchCooperativeKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL) == CUDA_SUCCESS);
    CHECK(driver.end_capture(stream, &graph) == CUDA_SUCCESS);
    CHECK(cuGraphInstantiateWithFlags(&exec, graph, 0) == CUDA_SUCCESS);
    CHECK(cuGraphLaunch(exec, stream) == CUDA_SUCCESS && cuGraphExecDestroy(exec) == CUDA_SUCCESS);
    CHECK(driver.graph_destroy(graph) == CUDA_SUCCESS);
    CHECK(driver.stream_destroy(stream) == CUDA_SUCCESS);
    if (own_context)
        CHECK(cuCtxDestroy_v2(own) == CUDA_SUCCESS && driver.set_current(driver.context) == CUDA_SUCCESS);
}

#define CHECK_OR_FULL(result)                                                                                          \
    do {                                                                                                               \
        CUresult result_ = (result);                                                                                   \
        CHECK(result_ == CUDA_SUCCESS || result_ == CUDA_ERROR_OUT_OF_MEMORY);                                         \
    } while (0)

static void pools(unsigned int *seed)
{
    CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemoryPool pool;
    CUdeviceptr own = 0, common[4] = {0};
    CHECK(cuMemPoolCreate(&pool, &props) == CUDA_SUCCESS);
    CHECK_OR_FULL(cuMemAllocFromPoolAsync(&own, 1 + (size_t)rand_r(seed) % (8 << 20), pool, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OR_FULL(cuMemAllocAsync(&common[i], 1 + (size_t)rand_r(seed) % (8 << 20), NULL));
    bool early = rand_r(seed) % 2 != 0; /* the pool ends before its memory does, or after */
    if (early)
        CHECK(cuMemPoolDestroy(pool) == CUDA_SUCCESS);
    if (own)
        CHECK(cuMemFreeAsync(own, NULL) == CUDA_SUCCESS);
    if (!early)
        CHECK(cuMemPoolDestroy(pool) == CUDA_SUCCESS);
    for (int i = 0; i < 4; i++)
        if (common[i])
            CHECK((i % 2 ? cuMemFree_v2(common[i]) : cuMemFreeAsync(common[i], NULL)) == CUDA_SUCCESS);
}

static void arrays(unsigned int *seed)
{
    CUDA_ARRAY_DESCRIPTOR flat = {1 + (size_t)rand_r(seed) % 512, 1 + (size_t)rand_r(seed) % 512, 0x20, 4};
    CUDA_ARRAY3D_DESCRIPTOR full = {flat.Width, flat.Height, 0, 0x20, 1, 0};
    CUarray array = NULL;
    CUmipmappedArray mipmapped = NULL;
    CHECK_OR_FULL(cuArrayCreate_v2(&array, &flat));
    CHECK_OR_FULL(cuMipmappedArrayCreate(&mipmapped, &full, 4));
    if (array)
        CHECK(cuArrayDestroy(array) == CUDA_SUCCESS);
    if (mipmapped)
        CHECK(cuMipmappedArrayDestroy(mipmapped) == CUDA_SUCCESS);
}

static void graphs(unsigned int *seed)
{
    CUgraph graph;
    CUgraphNode node;
    CUgraphExec exec = NULL;
    CUDA_MEM_ALLOC_NODE_PARAMS params = {
        .poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}},
        .bytesize = 1 + (size_t)rand_r(seed) % (8 << 20)};
    CHECK(driver.graph_create(&graph, 0) == CUDA_SUCCESS);
    CHECK(driver.graph_allocate(&node, graph, NULL, 0, &params) == CUDA_SUCCESS);
    CHECK_OR_FULL(cuGraphInstantiateWithFlags(&exec, graph, rand_r(seed) % 2 ? CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD : 0));
    CUresult result = exec ? cuGraphLaunch(exec, NULL) : CUDA_ERROR_OUT_OF_MEMORY;
    CHECK_OR_FULL(result);
    if (result == CUDA_SUCCESS)
        CHECK(cuMemFreeAsync(params.dptr, NULL) == CUDA_SUCCESS);
    if (exec)
        CHECK(cuGraphExecDestroy(exec) == CUDA_SUCCESS);
    CHECK(driver.graph_destroy(graph) == CUDA_SUCCESS);
    if (rand_r(seed) % 8 == 0) {
        result = cuDeviceGraphMemTrim(0);
        CHECK(result == CUDA_SUCCESS || result == 900); /* another thread captures a stream */
    }
}

static void heap(unsigned int *seed)
{
    CHECK_OR_FULL(cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, (size_t)(8 + rand_r(seed) % 4) << 20));
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
            processes_list();
            launches((unsigned int)rand_r(&seed));
            pools(&seed);
            arrays(&seed);
            graphs(&seed);
            heap(&seed);
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
    CUmemoryPool pool;
    CHECK(driver.set_current(driver.context) == CUDA_SUCCESS);
    CHECK(driver.default_pool(&pool, 0) == CUDA_SUCCESS && cuMemPoolTrimTo(pool, 0) == CUDA_SUCCESS);
    CHECK(cuDeviceGraphMemTrim(0) == CUDA_SUCCESS);
    CHECK(cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 8 << 20) == CUDA_SUCCESS);
    /* What the driver had for a moment beyond what was written down counts until the watcher's next look. */
    for (int i = 0; i < 500; i++) {
        CHECK(cuMemGetInfo_v2(&free_bytes, &total_bytes) == CUDA_SUCCESS);
        if (free_bytes == total_bytes)
            return 0;
        usleep(10000);
    }
    printf("%zu bytes are not free in the end\n", total_bytes - free_bytes);
    return 1;
}
