/* What tests/client.c does with streams and kernels. */
#define _GNU_SOURCE
#include "client_launches.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../library/cuda_abi.h"

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One kernel, captured once. */
static CUgraphExec one_kernel(void)
{
    static CUgraphExec exec;
    CUstream stream;
    CUgraph graph;
    if (!exec &&
        (cuStreamCreate(&stream, 0) != CUDA_SUCCESS || cuStreamBeginCapture_v2(stream, 0) != CUDA_SUCCESS ||
         cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL) != CUDA_SUCCESS ||
         cuStreamEndCapture(stream, &graph) != CUDA_SUCCESS ||
         cuGraphInstantiateWithFlags(&exec, graph, 0) != CUDA_SUCCESS || cuStreamDestroy_v2(stream) != CUDA_SUCCESS))
        exit(3);
    return exec;
}

static CUresult launch(const char *way, CUstream stream)
{
    CUlaunchConfig config = {1, 1, 1, 1, 1, 1, 0, stream, NULL, 0};
    CUDA_LAUNCH_PARAMS one = {NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL};
    if (strcmp(way, "kernel") == 0)
        return cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL);
    if (strcmp(way, "kernel_ptsz") == 0)
        return cuLaunchKernel_ptsz(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL);
    if (strcmp(way, "ex") == 0)
        return cuLaunchKernelEx(&config, NULL, NULL, NULL);
    if (strcmp(way, "ex_ptsz") == 0)
        return cuLaunchKernelEx_ptsz(&config, NULL, NULL, NULL);
    if (strcmp(way, "cooperative") == 0)
        return cuLaunchCooperativeKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL);
    if (strcmp(way, "cooperative_ptsz") == 0)
        return cuLaunchCooperativeKernel_ptsz(NULL, 1, 1, 1, 1, 1, 1, 0, stream, NULL);
    if (strcmp(way, "multi") == 0)
        return cuLaunchCooperativeKernelMultiDevice(&one, 1, 0);
    if (strcmp(way, "launch") == 0)
        return cuLaunch(NULL);
    if (strcmp(way, "grid") == 0)
        return cuLaunchGrid(NULL, 1, 1);
    if (strcmp(way, "grid_async") == 0)
        return cuLaunchGridAsync(NULL, 1, 1, stream);
    if (strcmp(way, "graph") == 0)
        return cuGraphLaunch(one_kernel(), stream);
    if (strcmp(way, "graph_ptsz") == 0)
        return cuGraphLaunch_ptsz(one_kernel(), stream);
    return CUDA_ERROR_NOT_FOUND;
}

/* Launches for so long, waiting after every so many; how many thousandths of the time the card worked for us. */
static long spin(const char *way, double ms, unsigned long depth)
{
    const char *cost = getenv("HAMI_FAKE_KERNEL_NS");
    double begin = now_ms(), launched = 0;
    while (now_ms() - begin < ms) {
        if (launch(way, NULL) != CUDA_SUCCESS)
            return -1;
        launched++;
        if (depth && (unsigned long)launched % depth == 0)
            cuCtxSynchronize();
    }
    cuCtxSynchronize();
    return (long)(launched * (cost ? atof(cost) : 0) / 1e6 / (now_ms() - begin) * 1000);
}

/* ---- a thread that launches on and on ---- */

static struct {
    pthread_t thread;
    char way[32];
    CUcontext context;
    atomic_long launched;
    atomic_bool stop;
} background;

static void *go_on(void *nothing)
{
    cuCtxSetCurrent(background.context);
    while (!background.stop && launch(background.way, NULL) == CUDA_SUCCESS) {
        background.launched++;
        cuCtxSynchronize();
    }
    return nothing;
}

static void background_begin(const char *way)
{
    snprintf(background.way, sizeof background.way, "%s", way);
    cuCtxGetCurrent(&background.context);
    background.stop = false;
    background.launched = 0;
    pthread_create(&background.thread, NULL, go_on, NULL);
}

/* ---- the rest ---- */

static int threads(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

/* Launches into a captured stream; how many events it then has that we never recorded, and the codes. */
static void capture(const char *way, unsigned long launches)
{
    CUstream stream;
    CUgraph graph;
    unsigned int (*events)(void) = NULL;
    *(void **)&events = dlsym(RTLD_DEFAULT, "hami_fake_captured_events");
    CUresult result = cuStreamCreate(&stream, 0);
    result += cuStreamBeginCapture_v2(stream, 0);
    for (unsigned long i = 0; i < launches; i++)
        result += launch(way, stream);
    result += cuStreamEndCapture(stream, &graph);
    result += cuStreamDestroy_v2(stream);
    printf("%d events %u\n", result, events ? events() : 99);
}

static void spin_in_child(double ms)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CUcontext context;
        if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS ||
            cuCtxSetCurrent(context) != CUDA_SUCCESS)
            _exit(255);
        _exit((int)(spin("kernel", ms, 4) / 10));
    }
    waitpid(child, &status, 0);
    printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* Streams of two contexts in turn, whichever is current, on the first of so many cards. */
static void spin_in_contexts(double ms, int cards)
{
    CUcontext context[2], before;
    CUstream stream[2];
    CUresult result = cuCtxGetCurrent(&before);
    for (int i = 0; i < 2; i++) {
        result += cuCtxCreate_v2(&context[i], 0, i % cards);
        result += cuStreamCreate(&stream[i], 0);
    }
    double begin = now_ms(), launched = 0;
    while (now_ms() - begin < ms && result == CUDA_SUCCESS) {
        result += cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, stream[(int)launched % 2], NULL, NULL);
        launched++;
    }
    for (int i = 0; i < 2; i++) {
        cuCtxSetCurrent(context[i]);
        cuCtxSynchronize();
    }
    double passed = now_ms() - begin;
    for (int i = 0; i < 2; i++)
        result += cuCtxDestroy_v2(context[i]);
    result += cuCtxSetCurrent(before);
    const char *cost = getenv("HAMI_FAKE_KERNEL_NS");
    printf("%d %ld\n", result, (long)(launched / cards * (cost ? atof(cost) : 0) / 1e6 / passed * 1000));
}

bool launches_answer(const char *line)
{
    char way[32] = "";
    unsigned long a = 0, b = 0, c = 0;
    if (strncmp(line, "sent", 4) == 0) {
        printf("%ld\n", background.launched);
    } else if (strncmp(line, "send ", 5) == 0 && sscanf(line + 5, "%31s %lu", way, &a) >= 1) {
        CUresult result = CUDA_SUCCESS;
        for (unsigned long i = 0; i < (a ? a : 1) && result == CUDA_SUCCESS; i++)
            result = launch(way, NULL);
        printf("%d\n", result);
    } else if (strncmp(line, "spin ", 5) == 0 && sscanf(line + 5, "%31s %lu %lu", way, &a, &b) >= 2) {
        printf("%ld\n", spin(way, (double)a, b));
    } else if (sscanf(line, "spin-in-child %lu", &a) == 1) {
        spin_in_child((double)a);
    } else if (sscanf(line, "spin-in-contexts %lu %lu", &a, &b) == 2) {
        spin_in_contexts((double)a, (int)b);
    } else if (sscanf(line, "blocks %lu %lu %lu", &a, &b, &c) == 3) {
        printf("%d\n",
               cuLaunchKernel(NULL, (unsigned int)a, (unsigned int)b, (unsigned int)c, 1, 1, 1, 0, NULL, NULL, NULL));
    } else if (sscanf(line, "send-captured %31s %lu", way, &a) == 2) {
        capture(way, a);
    } else if (sscanf(line, "background %31s", way) == 1) {
        background_begin(way);
        puts("0");
    } else if (strncmp(line, "halt", 4) == 0) {
        background.stop = true;
        pthread_join(background.thread, NULL);
        puts("0");
    } else if (strncmp(line, "synchronise", 11) == 0) {
        printf("%d\n", cuCtxSynchronize());
    } else if (strncmp(line, "threads", 7) == 0) {
        printf("%d\n", threads());
    } else {
        return false;
    }
    return true;
}
