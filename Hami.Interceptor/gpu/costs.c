/* What calls cost: prints how long it took to start, then measures what it is told, a line at a time. Two of these,
 * one bare and one under the interceptor, are asked in turn. Functions come by cuGetProcAddress, as for the CUDA
 * runtime. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "real.h"

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static __typeof__(&cuGetProcAddress_v2) get;

static void *by_address(const char *name)
{
    void *function = NULL;
    int version = 12000;
    return get && get(name, &function, version, 0, NULL) == CUDA_SUCCESS ? function : NULL;
}

typedef CUresult launch_function(CUfunction, unsigned int, unsigned int, unsigned int, unsigned int, unsigned int,
                                 unsigned int, unsigned int, CUstream, void **, void **);

static struct {
    CUresult (*mem_alloc)(CUdeviceptr *, size_t);
    CUresult (*mem_free)(CUdeviceptr);
    CUresult (*alloc_async)(CUdeviceptr *, size_t, CUstream);
    CUresult (*free_async)(CUdeviceptr, CUstream);
    CUresult (*mem_info)(size_t *, size_t *);
    CUresult (*synchronize)(void);
    launch_function *launch;
} driver;

static CUfunction nothing, spin;

/* A kernel that does nothing, and one that turns for a number of clock ticks. */
static const char kernels[] = ".visible .entry nothing() { ret; }\n"
                              ".visible .entry spin(.param .u64 ticks)\n"
                              "{\n"
                              "    .reg .pred %p;\n"
                              "    .reg .b64 %ticks, %begin, %now;\n"
                              "    ld.param.u64 %ticks, [ticks];\n"
                              "    mov.u64 %begin, %clock64;\n"
                              "turn:\n"
                              "    mov.u64 %now, %clock64;\n"
                              "    sub.u64 %now, %now, %begin;\n"
                              "    setp.lt.u64 %p, %now, %ticks;\n"
                              "    @%p bra turn;\n"
                              "    ret;\n"
                              "}\n";

static bool kernels_load(void)
{
    CUmodule module;
    if (!driver.launch || !driver_find("cuModuleLoadData"))
        return false;
    must("cuModuleLoadData", module_load(&module, kernels));
    must("cuModuleGetFunction",
         CALL_DRIVER(cuModuleGetFunction, (CUfunction *, CUmodule, const char *), &nothing, module, "nothing"));
    must("cuModuleGetFunction",
         CALL_DRIVER(cuModuleGetFunction, (CUfunction *, CUmodule, const char *), &spin, module, "spin"));
    return true;
}

/* In batches that fit the queue, so that the call is measured and not the card. */
static double launch_ns(unsigned long rounds)
{
    enum { BATCH = 256 };
    double ns = 0;
    for (unsigned long done = 0; done < rounds; done += BATCH) {
        must("cuCtxSynchronize", driver.synchronize());
        double begin = now_ns();
        for (int i = 0; i < BATCH; i++)
            must("cuLaunchKernel", driver.launch(nothing, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
        ns += now_ns() - begin;
    }
    must("cuCtxSynchronize", driver.synchronize());
    return ns / (double)((rounds + BATCH - 1) / BATCH * BATCH);
}

static double alloc_ns(unsigned long rounds, size_t bytes)
{
    CUdeviceptr pointer;
    double begin = now_ns();
    for (unsigned long i = 0; i < rounds; i++) {
        must("cuMemAlloc", driver.mem_alloc(&pointer, bytes));
        must("cuMemFree", driver.mem_free(pointer));
    }
    return (now_ns() - begin) / (double)rounds;
}

static double async_ns(unsigned long rounds, size_t bytes)
{
    CUdeviceptr pointer;
    double begin = now_ns();
    for (unsigned long i = 0; i < rounds; i++) {
        must("cuMemAllocAsync", driver.alloc_async(&pointer, bytes, NULL));
        must("cuMemFreeAsync", driver.free_async(pointer, NULL));
    }
    if (driver.synchronize)
        must("cuCtxSynchronize", driver.synchronize());
    return (now_ns() - begin) / (double)rounds;
}

static double info_ns(unsigned long rounds)
{
    size_t free_bytes, total_bytes;
    double begin = now_ns();
    for (unsigned long i = 0; i < rounds; i++)
        must("cuMemGetInfo", driver.mem_info(&free_bytes, &total_bytes));
    return (now_ns() - begin) / (double)rounds;
}

/* How many short kernels that fill the card are done in a second, over that many milliseconds. */
static double spins_per_second(unsigned long milliseconds)
{
    unsigned long long ticks = 2000000; /* about a millisecond */
    void *parameters[] = {&ticks};
    double begin = now_ns(), most = (double)milliseconds * 1e6;
    unsigned long kernels_done = 0;
    while (now_ns() - begin < most) {
        for (int i = 0; i < 4; i++, kernels_done++)
            must("cuLaunchKernel", driver.launch(spin, 132 * 8, 1, 1, 128, 1, 1, 0, NULL, parameters, NULL));
        must("cuCtxSynchronize", driver.synchronize());
    }
    return (double)kernels_done / (now_ns() - begin) * 1e9;
}

int main(void)
{
    double begin = now_ns();
    *(void **)&get = driver_need("cuGetProcAddress_v2");
    must("cuInit", CALL_DRIVER(cuInit, (unsigned int), 0));
    double initialised = now_ns();
    context_open(0);
    double current = now_ns();
    *(void **)&driver.mem_alloc = by_address("cuMemAlloc");
    *(void **)&driver.mem_free = by_address("cuMemFree");
    *(void **)&driver.alloc_async = by_address("cuMemAllocAsync");
    *(void **)&driver.free_async = by_address("cuMemFreeAsync");
    *(void **)&driver.mem_info = by_address("cuMemGetInfo");
    *(void **)&driver.synchronize = by_address("cuCtxSynchronize");
    *(void **)&driver.launch = by_address("cuLaunchKernel");
    double found = now_ns();
    CUdeviceptr pointer;
    must("cuMemAlloc", driver.mem_alloc(&pointer, 1 << 21));
    double allocated = now_ns();
    must("cuMemFree", driver.mem_free(pointer));
    printf("init_ms %.3f context_ms %.3f first_alloc_ms %.3f\n", (initialised - begin) / 1e6,
           (current - initialised) / 1e6, (allocated - found) / 1e6);
    fflush(stdout);
    bool can_launch = kernels_load();

    char line[128], verb[32];
    while (fgets(line, sizeof line, stdin)) {
        unsigned long a = 1, b = 1;
        sscanf(line, "%31s %lu %lu", verb, &a, &b);
        double answer = -1; /* the driver lacks it */
        if (strcmp(verb, "launch") == 0 && can_launch)
            answer = launch_ns(a);
        else if (strcmp(verb, "spin") == 0 && can_launch)
            answer = spins_per_second(a);
        else if (strcmp(verb, "alloc") == 0)
            answer = alloc_ns(a, b);
        else if (strcmp(verb, "async") == 0 && driver.alloc_async && driver.free_async)
            answer = async_ns(a, b);
        else if (strcmp(verb, "info") == 0)
            answer = info_ns(a);
        printf("%.3f\n", answer);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
