/* What the client can do with kinds of memory beyond the plain one. Handles are written in hexadecimal. */
#define _GNU_SOURCE
#include "client_families.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../library/cuda_abi.h"

/* clang-format off */
#define CUDA_FUNCTIONS(with)                                   \
    with(cuMemAllocAsync, cuMemAllocAsync)                     \
    with(cuMemFreeAsync, cuMemFreeAsync)                       \
    with(cuStreamBeginCapture, cuStreamBeginCapture_v2)        \
    with(cuStreamEndCapture, cuStreamEndCapture)               \
    with(cuGraphCreate, cuGraphCreate)                         \
    with(cuGraphAddMemAllocNode, cuGraphAddMemAllocNode)       \
    with(cuGraphAddMemFreeNode, cuGraphAddMemFreeNode)         \
    with(cuGraphAddChildGraphNode, cuGraphAddChildGraphNode)   \
    with(cuGraphInstantiate, cuGraphInstantiateWithFlags)      \
    with(cuGraphUpload, cuGraphUpload)                         \
    with(cuGraphLaunch, cuGraphLaunch)                         \
    with(cuGraphExecDestroy, cuGraphExecDestroy)               \
    with(cuDeviceGraphMemTrim, cuDeviceGraphMemTrim)           \
    with(cuCtxSetLimit, cuCtxSetLimit)                         \
    with(cuCtxGetLimit, cuCtxGetLimit)                         \
    with(cuMemAllocFromPoolAsync, cuMemAllocFromPoolAsync)     \
    with(cuDeviceGetDefaultMemPool, cuDeviceGetDefaultMemPool) \
    with(cuDeviceSetMemPool, cuDeviceSetMemPool)               \
    with(cuMemPoolCreate, cuMemPoolCreate)                     \
    with(cuMemPoolDestroy, cuMemPoolDestroy)                   \
    with(cuMemPoolTrimTo, cuMemPoolTrimTo)                     \
    with(cuMemPoolSetAttribute, cuMemPoolSetAttribute)         \
    with(cuMemPoolGetAttribute, cuMemPoolGetAttribute)         \
    with(cuArrayCreate, cuArrayCreate_v2)                      \
    with(cuArray3DCreate, cuArray3DCreate_v2)                  \
    with(cuArrayDestroy, cuArrayDestroy)                       \
    with(cuMipmappedArrayCreate, cuMipmappedArrayCreate)       \
    with(cuMipmappedArrayDestroy, cuMipmappedArrayDestroy)
/* clang-format on */

#include "../lab/routes.h"

bool families_route(const char *route)
{
    return route_choose(route);
}

static void *handle(unsigned long long number)
{
    return (void *)(uintptr_t)number;
}

/* "code handle" */
static void answer(CUresult result, const void *made)
{
    printf("%d %llx\n", result, result == CUDA_SUCCESS ? (unsigned long long)(uintptr_t)made : 0);
}

static bool pools_answer(const char *line)
{
    unsigned long long a = 0, b = 0;
    long long device = 0;
    CUmemoryPool pool = NULL;
    CUdeviceptr pointer = 0;
    if (sscanf(line, "pool-default %lld", &device) == 1) {
        CUresult result = cuda.cuDeviceGetDefaultMemPool(&pool, (int)device);
        answer(result, pool);
    } else if (sscanf(line, "pool-make %lld", &device) == 1) {
        CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                .location = {CU_MEM_LOCATION_TYPE_DEVICE, (int)device}};
        if (device < 0)
            props.location = (CUmemLocation){CU_MEM_LOCATION_TYPE_HOST, 0};
        CUresult result = cuda.cuMemPoolCreate(&pool, &props);
        answer(result, pool);
    } else if (strncmp(line, "synchronise", 11) == 0) {
        printf("%d\n", cuCtxSynchronize());
    } else if (sscanf(line, "pool-end %llx", &a) == 1) {
        printf("%d\n", cuda.cuMemPoolDestroy(handle(a)));
    } else if (sscanf(line, "pool-use %lld %llx", &device, &a) == 2) {
        printf("%d\n", cuda.cuDeviceSetMemPool((int)device, handle(a)));
    } else if (sscanf(line, "pool-alloc %llx %llu", &a, &b) == 2) {
        CUresult result = cuda.cuMemAllocFromPoolAsync(&pointer, b, handle(a), NULL);
        answer(result, handle(pointer));
    } else if (sscanf(line, "pool-trim %llx %llu", &a, &b) == 2) {
        printf("%d\n", cuda.cuMemPoolTrimTo(handle(a), b));
    } else if (sscanf(line, "pool-threshold %llx %llu", &a, &b) == 2) {
        uint64_t bytes = b;
        printf("%d\n", cuda.cuMemPoolSetAttribute(handle(a), CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &bytes));
    } else if (sscanf(line, "pool-forget-high %llx", &a) == 1) {
        uint64_t none = 0;
        printf("%d\n", cuda.cuMemPoolSetAttribute(handle(a), CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, &none));
    } else {
        return false;
    }
    return true;
}

static bool arrays_answer(const char *line)
{
    CUDA_ARRAY3D_DESCRIPTOR shape = {0};
    unsigned long long a = 0;
    unsigned int levels = 0;
    CUarray array = NULL;
    CUmipmappedArray mipmapped = NULL;
    if (sscanf(line, "array3d %zu %zu %zu %i %u %i", &shape.Width, &shape.Height, &shape.Depth, &shape.Format,
               &shape.NumChannels, (int *)&shape.Flags) == 6) {
        CUresult result = cuda.cuArray3DCreate(&array, &shape);
        answer(result, array);
    } else if (sscanf(line, "array %zu %zu %i %u", &shape.Width, &shape.Height, &shape.Format, &shape.NumChannels) ==
               4) {
        CUDA_ARRAY_DESCRIPTOR flat = {shape.Width, shape.Height, shape.Format, shape.NumChannels};
        CUresult result = cuda.cuArrayCreate(&array, &flat);
        answer(result, array);
    } else if (sscanf(line, "array-v1 %zu %zu %zu %i %u", &shape.Width, &shape.Height, &shape.Depth, &shape.Format,
                      &shape.NumChannels) == 5) {
        CUDA_ARRAY3D_DESCRIPTOR_v1 old = {(unsigned int)shape.Width, (unsigned int)shape.Height,
                                          (unsigned int)shape.Depth, shape.Format,
                                          shape.NumChannels,         0};
        CUDA_ARRAY_DESCRIPTOR_v1 flat = {old.Width, old.Height, old.Format, old.NumChannels};
        CUresult result = old.Depth ? cuArray3DCreate(&array, &old) : cuArrayCreate(&array, &flat);
        answer(result, array);
    } else if (sscanf(line, "mipmap %zu %zu %zu %i %u %i %u", &shape.Width, &shape.Height, &shape.Depth, &shape.Format,
                      &shape.NumChannels, (int *)&shape.Flags, &levels) == 7) {
        CUresult result = cuda.cuMipmappedArrayCreate(&mipmapped, &shape, levels);
        answer(result, mipmapped);
    } else if (sscanf(line, "array-free %llx", &a) == 1) {
        printf("%d\n", cuda.cuArrayDestroy(handle(a)));
    } else if (sscanf(line, "mipmap-free %llx", &a) == 1) {
        printf("%d\n", cuda.cuMipmappedArrayDestroy(handle(a)));
    } else {
        return false;
    }
    return true;
}

/* Numbers stand for streams, each of the context that was current when it was first used. */
static CUstream stream_of(unsigned long long number)
{
    static CUstream streams[8];
    CUstream *stream = &streams[number % 8];
    if (!*stream && cuStreamCreate(stream, 0) != CUDA_SUCCESS)
        exit(3);
    return *stream;
}

static bool graphs_answer(const char *line)
{
    unsigned long long a = 0, b = 0;
    long long device = 0;
    unsigned int flags = 0;
    CUgraph graph = NULL;
    CUgraphNode node = NULL;
    CUgraphExec exec = NULL;
    CUdeviceptr pointer = 0;
    if (sscanf(line, "graph-alloc %llx %llu %lld", &a, &b, &device) == 3) {
        CUDA_MEM_ALLOC_NODE_PARAMS params = {.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                                           .location = {CU_MEM_LOCATION_TYPE_DEVICE, (int)device}},
                                             .bytesize = b};
        CUresult result = cuda.cuGraphAddMemAllocNode(&node, handle(a), NULL, 0, &params);
        answer(result, handle(params.dptr));
    } else if (sscanf(line, "graph-free %llx %llx", &a, &b) == 2) {
        printf("%d\n", cuda.cuGraphAddMemFreeNode(&node, handle(a), NULL, 0, b));
    } else if (sscanf(line, "graph-child %llx %llx", &a, &b) == 2) {
        printf("%d\n", cuda.cuGraphAddChildGraphNode(&node, handle(a), NULL, 0, handle(b)));
    } else if (sscanf(line, "graph-trim %lld", &device) == 1) {
        printf("%d\n", cuda.cuDeviceGraphMemTrim((int)device));
    } else if (strncmp(line, "graph", 5) == 0) {
        CUresult result = cuda.cuGraphCreate(&graph, 0);
        answer(result, graph);
    } else if (sscanf(line, "instantiate %llx %u", &a, &flags) == 2) {
        CUresult result = cuda.cuGraphInstantiate(&exec, handle(a), flags);
        answer(result, exec);
    } else if (sscanf(line, "instantiate-old %llx", &a) == 1) {
        CUresult result = cuGraphInstantiate_v2(&exec, handle(a), NULL, NULL, 0);
        answer(result, exec);
    } else if (sscanf(line, "instantiate-with %llx %u", &a, &flags) == 2) {
        CUDA_GRAPH_INSTANTIATE_PARAMS params = {.flags = flags};
        CUresult result = cuGraphInstantiateWithParams_ptsz(&exec, handle(a), &params);
        answer(result, exec);
    } else if (sscanf(line, "launch %llx", &a) == 1) {
        printf("%d\n", cuda.cuGraphLaunch(handle(a), NULL));
    } else if (sscanf(line, "launch-per-thread %llx", &a) == 1) {
        printf("%d\n", cuGraphLaunch_ptsz(handle(a), NULL));
    } else if (sscanf(line, "upload %llx", &a) == 1) {
        printf("%d\n", cuda.cuGraphUpload(handle(a), NULL));
    } else if (sscanf(line, "exec-end %llx", &a) == 1) {
        printf("%d\n", cuda.cuGraphExecDestroy(handle(a)));
    } else if (sscanf(line, "capture-end %llx", &a) == 1) {
        CUresult result = cuda.cuStreamEndCapture(stream_of(a), &graph);
        answer(result, graph);
    } else if (sscanf(line, "capture %llx", &a) == 1) {
        printf("%d\n", cuda.cuStreamBeginCapture(stream_of(a), 0));
    } else if (sscanf(line, "async-on %llx %llu", &a, &b) == 2) {
        CUresult result = cuda.cuMemAllocAsync(&pointer, b, stream_of(a));
        answer(result, handle(pointer));
    } else if (sscanf(line, "free-on %llx %llx", &a, &b) == 2) {
        printf("%d\n", cuda.cuMemFreeAsync(b, stream_of(a)));
    } else {
        return false;
    }
    return true;
}

static bool limits_answer(const char *line)
{
    int limit = 0;
    size_t value = 0;
    if (sscanf(line, "limit-set %d %zu", &limit, &value) == 2) {
        printf("%d\n", cuda.cuCtxSetLimit(limit, value));
    } else if (sscanf(line, "limit %d", &limit) == 1) {
        CUresult result = cuda.cuCtxGetLimit(&value, limit);
        printf("%d %zu\n", result, value);
    } else {
        return false;
    }
    return true;
}

static bool sharing_answer(const char *line)
{
    unsigned long long a = 0, b = 0, c = 0, d = 0;
    CUmemGenericAllocationHandle made = 0;
    int shared = 0;
    if (sscanf(line, "export %llx", &a) == 1) {
        CUresult result = cuMemExportToShareableHandle(&shared, a, 1, 0);
        printf("%d %x\n", result, shared);
    } else if (sscanf(line, "import %llx", &a) == 1) {
        CUresult result = cuMemImportFromShareableHandle(&made, handle(a), 1);
        answer(result, handle(made));
    } else if (sscanf(line, "create-host %llu", &a) == 1) {
        CUmemAllocationProp prop = {.type = 1, .location = {CU_MEM_LOCATION_TYPE_HOST, 0}};
        CUresult result = cuMemCreate(&made, a, &prop, 0);
        answer(result, handle(made));
    } else if (strncmp(line, "create-of-nothing", 17) == 0) {
        printf("%d\n", cuMemCreate(&made, 1, NULL, 0));
    } else if (sscanf(line, "multicast-bind %llx %llu %llx %llu", &a, &b, &c, &d) == 4) {
        printf("%d\n", cuMulticastBindMem(a, b, c, 0, d, 0));
    } else if (sscanf(line, "multicast-bind-address %llx %llu %llx %llu", &a, &b, &c, &d) == 4) {
        printf("%d\n", cuMulticastBindAddr(a, b, c, d, 0));
    } else if (sscanf(line, "multicast-unbind %llx %llu %llu %llu", &a, &b, &c, &d) == 4) {
        printf("%d\n", cuMulticastUnbind(a, (int)b, c, d));
    } else if (sscanf(line, "multicast %llu", &a) == 1) {
        CUmulticastObjectProp prop = {.numDevices = 2, .size = a};
        CUresult result = cuMulticastCreate(&made, &prop);
        answer(result, handle(made));
    } else {
        return false;
    }
    return true;
}

bool families_answer(const char *line)
{
    return pools_answer(line) || arrays_answer(line) || graphs_answer(line) || sharing_answer(line) ||
           limits_answer(line);
}
