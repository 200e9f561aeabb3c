/* Programs with several threads: `endings slow`, where the driver keeps one of them waiting, and `endings busy`, whose
 * threads are at it while the program ends, and which calls the driver in its very last moments. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../library/cuda_abi.h"

static CUcontext context;

static void must(CUresult result)
{
    if (result == CUDA_SUCCESS)
        return;
    printf("a call gave %d\n", result);
    _exit(1);
}

static void one_round(void)
{
    CUdeviceptr pointer;
    must(cuMemAlloc_v2(&pointer, 4096));
    must(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
    must(cuMemFree_v2(pointer));
}

static void *wait_for_the_driver(void *unused)
{
    CUdeviceptr pointer;
    size_t pitch;
    must(cuCtxSetCurrent(context));
    must(cuMemAllocPitch_v2(&pointer, &pitch, 4096, 1, 4));
    return unused;
}

static void *be_busy(void *unused)
{
    must(cuCtxSetCurrent(context));
    for (;;)
        one_round();
    return unused;
}

static void last_words(void)
{
    one_round();
}

int main(int count, char **arguments)
{
    pthread_t thread;
    must(cuInit(0));
    must(cuDevicePrimaryCtxRetain(&context, 0));
    must(cuCtxSetCurrent(context));
    one_round();
    if (count == 2 && strcmp(arguments[1], "slow") == 0) {
        pthread_create(&thread, NULL, wait_for_the_driver, NULL);
        usleep(100000);
        for (int i = 0; i < 1000; i++)
            one_round();
        _exit(0);
    }
    atexit(last_words);
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, be_busy, NULL);
    usleep(30000);
    return 0;
}
