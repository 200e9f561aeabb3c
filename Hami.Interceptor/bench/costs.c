/* What calls cost: `costs` prints one line of JSON, nanoseconds a call. `costs starts N` prints in how many
 * milliseconds N processes, begun at once, have started CUDA, allocated and ended (each is `costs start`). Of many
 * batches the fastest counts: whatever else the machine does only adds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../library/cuda_abi.h"

typedef CUresult launch_function(void *, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
                                 unsigned int, unsigned int, CUstream, void **, void **);

static struct {
    CUresult (*init)(unsigned int);
    CUresult (*retain)(CUcontext *, CUdevice);
    CUresult (*mem_alloc)(CUdeviceptr *, size_t);
    CUresult (*mem_free)(CUdeviceptr);
    CUresult (*mem_info)(size_t *, size_t *);
    launch_function *launch;
} cuda;

static void must(int fine)
{
    if (!fine) {
        fputs("costs: a call failed\n", stderr);
        exit(1);
    }
}

static void start(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    must(library != NULL);
    *(void **)&cuda.init = dlsym(library, "cuInit");
    *(void **)&cuda.retain = dlsym(library, "cuDevicePrimaryCtxRetain");
    *(void **)&cuda.mem_alloc = dlsym(library, "cuMemAlloc_v2");
    *(void **)&cuda.mem_free = dlsym(library, "cuMemFree_v2");
    *(void **)&cuda.mem_info = dlsym(library, "cuMemGetInfo_v2");
    *(void **)&cuda.launch = (void *)dlsym(library, "cuLaunchKernel");
    CUcontext context;
    CUdeviceptr pointer;
    must(cuda.init(0) == CUDA_SUCCESS && cuda.retain(&context, 0) == CUDA_SUCCESS);
    must(cuda.mem_alloc(&pointer, 512) == CUDA_SUCCESS);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

enum { BATCHES = 400, BATCH = 1000, LIVE = 20000 };

static double fastest(void (*batch)(void))
{
    double best = 1e18;
    for (int i = 0; i < BATCHES; i++) {
        double begin = now_ns();
        batch();
        double ns = (now_ns() - begin) / BATCH;
        if (ns < best)
            best = ns;
    }
    return best;
}

static void launches(void)
{
    for (int i = 0; i < BATCH; i++)
        must(cuda.launch(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL) == CUDA_SUCCESS);
}

static void allocations(void)
{
    CUdeviceptr pointer;
    for (int i = 0; i < BATCH; i++)
        must(cuda.mem_alloc(&pointer, 4096) == CUDA_SUCCESS && cuda.mem_free(pointer) == CUDA_SUCCESS);
}

static void infos(void)
{
    size_t free_bytes, total_bytes;
    for (int i = 0; i < BATCH; i++)
        must(cuda.mem_info(&free_bytes, &total_bytes) == CUDA_SUCCESS);
}

/* Newest first, which is the worst order for a list. */
static double freeing_many(void)
{
    static CUdeviceptr live[LIVE];
    double best = 1e18;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LIVE; i++)
            must(cuda.mem_alloc(&live[i], 4096) == CUDA_SUCCESS);
        double begin = now_ns();
        for (int i = LIVE; i-- > 0;)
            must(cuda.mem_free(live[i]) == CUDA_SUCCESS);
        double ns = (now_ns() - begin) / LIVE;
        if (ns < best)
            best = ns;
    }
    return best;
}

static double starting_ms(int processes)
{
    double begin = now_ns();
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl("/proc/self/exe", "costs", "start", NULL);
            _exit(1);
        }
        must(pid > 0);
    }
    int status;
    while (wait(&status) > 0)
        must(status == 0);
    return (now_ns() - begin) / 1e6;
}

int main(int count, char **arguments)
{
    if (count > 2 && strcmp(arguments[1], "starts") == 0) {
        double best = 1e18;
        for (int i = 0; i < 5; i++) {
            double ms = starting_ms(atoi(arguments[2]));
            if (ms < best)
                best = ms;
        }
        printf("%.2f\n", best);
        return 0;
    }
    start();
    if (count > 1 && strcmp(arguments[1], "start") == 0)
        return 0;
    printf("{\"launchNs\":%.2f,", fastest(launches));
    printf("\"allocFreeNs\":%.2f,", fastest(allocations));
    printf("\"freeLive20kNs\":%.2f,", freeing_many());
    printf("\"memInfoNs\":%.2f}\n", fastest(infos));
    return 0;
}
