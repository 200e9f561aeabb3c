/* families KIND BYTES: takes device memory by one family of the driver API. It answers a line for every line it reads:
 * to the first when it has a context, then with what taking gave, then with what giving back gave; so whoever asks can
 * look in between at what is charged and at what the driver says. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>

#include "real.h"

static size_t bytes;
static CUdeviceptr pointer;
static const char *argument;

static const CUmemLocation card = {CU_MEM_LOCATION_TYPE_DEVICE, 0};

/* Memory that nobody writes to may not be there yet. */
static CUresult touch(CUresult result)
{
    if (result == CUDA_SUCCESS && driver_find("cuMemsetD8_v2")) {
        must("cuMemsetD8", CALL_DRIVER(cuMemsetD8_v2, (CUdeviceptr, unsigned char, size_t), pointer, 1, bytes));
        must("cuCtxSynchronize", CALL_DRIVER(cuCtxSynchronize, (void), ));
    }
    return result;
}

static CUresult free_pointer(void)
{
    return CALL_DRIVER(cuMemFree_v2, (CUdeviceptr), pointer);
}

static CUresult alloc_take(void)
{
    return touch(CALL_DRIVER(cuMemAlloc_v2, (CUdeviceptr *, size_t), &pointer, bytes));
}

static CUresult pitch_take(void)
{
    size_t pitch;
    return CALL_DRIVER(cuMemAllocPitch_v2, (CUdeviceptr *, size_t *, size_t, size_t, unsigned int), &pointer, &pitch,
                       1000, bytes / 1024, 16);
}

static CUresult managed_take(void)
{
    return touch(
        CALL_DRIVER(cuMemAllocManaged, (CUdeviceptr *, size_t, unsigned int), &pointer, bytes, CU_MEM_ATTACH_GLOBAL));
}

/* ---- stream-ordered ---- */

static CUmemoryPool pool;

static CUresult async_take(void)
{
    return touch(CALL_DRIVER(cuMemAllocAsync, (CUdeviceptr *, size_t, CUstream), &pointer, bytes, NULL));
}

static CUresult per_thread_take(void)
{
    return touch(CALL_DRIVER(cuMemAllocAsync_ptsz, (CUdeviceptr *, size_t, CUstream), &pointer, bytes, NULL));
}

static CUresult async_give(void)
{
    CUresult result = CALL_DRIVER(cuMemFreeAsync, (CUdeviceptr, CUstream), pointer, NULL);
    if (result == CUDA_SUCCESS && driver_find("cuCtxSynchronize"))
        must("cuCtxSynchronize", CALL_DRIVER(cuCtxSynchronize, (void), ));
    return result;
}

static CUresult pool_take(void)
{
    must("cuDeviceGetDefaultMemPool", CALL_DRIVER(cuDeviceGetDefaultMemPool, (CUmemoryPool *, CUdevice), &pool, 0));
    return touch(CALL_DRIVER(cuMemAllocFromPoolAsync, (CUdeviceptr *, size_t, CUmemoryPool, CUstream), &pointer, bytes,
                             pool, NULL));
}

static CUresult own_pool_take(void)
{
    const CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = card};
    must("cuMemPoolCreate", CALL_DRIVER(cuMemPoolCreate, (CUmemoryPool *, const CUmemPoolProps *), &pool, &props));
    return touch(CALL_DRIVER(cuMemAllocFromPoolAsync, (CUdeviceptr *, size_t, CUmemoryPool, CUstream), &pointer, bytes,
                             pool, NULL));
}

static CUresult own_pool_give(void)
{
    CUresult result = async_give();
    must("cuMemPoolDestroy", CALL_DRIVER(cuMemPoolDestroy, (CUmemoryPool), pool));
    return result;
}

/* Freed, but kept by the pool, which PyTorch and others ask for. */
static CUresult kept_take(void)
{
    uint64_t all = UINT64_MAX;
    must("cuDeviceGetDefaultMemPool", CALL_DRIVER(cuDeviceGetDefaultMemPool, (CUmemoryPool *, CUdevice), &pool, 0));
    must("cuMemPoolSetAttribute", CALL_DRIVER(cuMemPoolSetAttribute, (CUmemoryPool, int, void *), pool,
                                              CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &all));
    CUresult result = async_take();
    return result == CUDA_SUCCESS ? async_give() : result;
}

static CUresult kept_give(void)
{
    return CALL_DRIVER(cuMemPoolTrimTo, (CUmemoryPool, size_t), pool, 0);
}

/* ---- virtual memory ---- */

static CUmemGenericAllocationHandle handle;

static CUresult virtual_take(void)
{
    const CUmemAllocationProp prop = {.type = CU_MEM_ALLOCATION_TYPE_PINNED, .location = card};
    CUresult result =
        CALL_DRIVER(cuMemCreate, (CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *, uint64_t),
                    &handle, bytes, &prop, 0);
    if (result != CUDA_SUCCESS)
        return result;
    must("cuMemAddressReserve", CALL_DRIVER(cuMemAddressReserve, (CUdeviceptr *, size_t, size_t, CUdeviceptr, uint64_t),
                                            &pointer, bytes, 0, 0, 0));
    must("cuMemMap", CALL_DRIVER(cuMemMap, (CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, uint64_t),
                                 pointer, bytes, 0, handle, 0));
    if (driver_find("cuMemSetAccess")) {
        const CUmemAccessDesc access = {card, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
        must("cuMemSetAccess", CALL_DRIVER(cuMemSetAccess, (CUdeviceptr, size_t, const CUmemAccessDesc *, size_t),
                                           pointer, bytes, &access, 1));
    }
    must("cuMemRelease", CALL_DRIVER(cuMemRelease, (CUmemGenericAllocationHandle), handle));
    return touch(CUDA_SUCCESS);
}

static CUresult virtual_give(void)
{
    return CALL_DRIVER(cuMemUnmap, (CUdeviceptr, size_t), pointer, bytes);
}

/* ---- arrays ---- */

static CUarray array;
static CUmipmappedArray mipmapped;

static CUresult array_take(void)
{
    const CUDA_ARRAY_DESCRIPTOR shape = {4096, bytes / 4096 / 16, CU_AD_FORMAT_FLOAT, 4};
    return CALL_DRIVER(cuArrayCreate_v2, (CUarray *, const CUDA_ARRAY_DESCRIPTOR *), &array, &shape);
}

static CUresult array_give(void)
{
    return CALL_DRIVER(cuArrayDestroy, (CUarray), array);
}

static CUresult array3d_take(void)
{
    const CUDA_ARRAY3D_DESCRIPTOR shape = {512, 512, bytes / 512 / 512 / 16, CU_AD_FORMAT_FLOAT, 4, 0};
    return CALL_DRIVER(cuArray3DCreate_v2, (CUarray *, const CUDA_ARRAY3D_DESCRIPTOR *), &array, &shape);
}

static CUresult mipmapped_take(void)
{
    const CUDA_ARRAY3D_DESCRIPTOR shape = {4096, bytes / 4096 / 16, 0, CU_AD_FORMAT_FLOAT, 4, 0};
    return CALL_DRIVER(cuMipmappedArrayCreate, (CUmipmappedArray *, const CUDA_ARRAY3D_DESCRIPTOR *, unsigned int),
                       &mipmapped, &shape, 4);
}

static CUresult mipmapped_give(void)
{
    return CALL_DRIVER(cuMipmappedArrayDestroy, (CUmipmappedArray), mipmapped);
}

/* ---- graphs ---- */

static CUgraphExec executable;

/* A graph that allocates and does not free: its memory is there from the launch on. */
static CUresult graph_take(void)
{
    CUgraph graph;
    CUgraphNode node;
    const CUmemAccessDesc access = {card, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    CUDA_MEM_ALLOC_NODE_PARAMS allocation = {
        .poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = card},
        .accessDescs = &access,
        .accessDescCount = 1,
        .bytesize = bytes};
    must("cuGraphCreate", CALL_DRIVER(cuGraphCreate, (CUgraph *, unsigned int), &graph, 0));
    CUresult result = CALL_DRIVER(cuGraphAddMemAllocNode,
                                  (CUgraphNode *, CUgraph, const CUgraphNode *, size_t, CUDA_MEM_ALLOC_NODE_PARAMS *),
                                  &node, graph, NULL, 0, &allocation);
    if (result != CUDA_SUCCESS)
        return result;
    pointer = allocation.dptr;
    result = CALL_DRIVER(cuGraphInstantiateWithFlags, (CUgraphExec *, CUgraph, uint64_t), &executable, graph, 0);
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuGraphLaunch, (CUgraphExec, CUstream), executable, NULL);
    return touch(result);
}

static CUresult graph_give(void)
{
    CUresult result = free_pointer();
    must("cuGraphExecDestroy", CALL_DRIVER(cuGraphExecDestroy, (CUgraphExec), executable));
    must("cuDeviceGraphMemTrim", CALL_DRIVER(cuDeviceGraphMemTrim, (CUdevice), 0));
    return result;
}

/* The same, as a captured stream asks for it; here the graph also frees. */
static CUresult captured_take(void)
{
    CUstream stream;
    CUgraph graph;
    const int global_mode = 0;
    must("cuStreamCreate", CALL_DRIVER(cuStreamCreate, (CUstream *, unsigned int), &stream, 1));
    must("cuStreamBeginCapture", CALL_DRIVER(cuStreamBeginCapture_v2, (CUstream, int), stream, global_mode));
    CUresult result = CALL_DRIVER(cuMemAllocAsync, (CUdeviceptr *, size_t, CUstream), &pointer, bytes, stream);
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuMemFreeAsync, (CUdeviceptr, CUstream), pointer, stream);
    must("cuStreamEndCapture", CALL_DRIVER(cuStreamEndCapture, (CUstream, CUgraph *), stream, &graph));
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuGraphInstantiateWithFlags, (CUgraphExec *, CUgraph, uint64_t), &executable, graph, 0);
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuGraphLaunch, (CUgraphExec, CUstream), executable, stream);
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuStreamSynchronize, (CUstream), stream);
    return result;
}

static CUresult captured_give(void)
{
    CUresult result = CALL_DRIVER(cuGraphExecDestroy, (CUgraphExec), executable);
    must("cuDeviceGraphMemTrim", CALL_DRIVER(cuDeviceGraphMemTrim, (CUdevice), 0));
    return result;
}

/* ---- what comes with programs and contexts ---- */

static CUmodule module;
static CUcontext second;

static CUresult module_take(void)
{
    char body[256];
    snprintf(body, sizeof body,
             ".visible .global .align 16 .b8 large[%zu];\n"
             ".visible .entry use() { .reg .b64 %%a; mov.u64 %%a, large; st.global.u64 [%%a], %%a; ret; }\n",
             bytes);
    CUresult result = module_load(&module, body);
    CUfunction function;
    size_t size;
    if (result == CUDA_SUCCESS) /* loaded lazily: asking for a symbol loads it */
        result = CALL_DRIVER(cuModuleGetFunction, (CUfunction *, CUmodule, const char *), &function, module, "use");
    if (result == CUDA_SUCCESS)
        result = CALL_DRIVER(cuModuleGetGlobal_v2, (CUdeviceptr *, size_t *, CUmodule, const char *), &pointer, &size,
                             module, "large");
    return touch(result);
}

static CUresult module_give(void)
{
    return CALL_DRIVER(cuModuleUnload, (CUmodule), module);
}

static CUresult context_take(void)
{
    return CALL_DRIVER(cuCtxCreate_v2, (CUcontext *, unsigned int, CUdevice), &second, 0, 0);
}

static CUresult context_give(void)
{
    return CALL_DRIVER(cuCtxDestroy_v2, (CUcontext), second);
}

/* ---- another process's memory; the argument is the handle's bytes, written as `families export` writes them ---- */

static CUresult export_take(void)
{
    CUipcMemHandle token;
    CUresult result = alloc_take();
    if (result != CUDA_SUCCESS)
        return result;
    must("cuIpcGetMemHandle", CALL_DRIVER(cuIpcGetMemHandle, (CUipcMemHandle *, CUdeviceptr), &token, pointer));
    for (size_t i = 0; i < sizeof token.bytes; i++)
        printf("%02x", token.bytes[i]);
    printf(" ");
    return result;
}

static CUresult import_take(void)
{
    CUipcMemHandle token;
    for (size_t i = 0; i < sizeof token.bytes; i++)
        if (sscanf(argument + 2 * i, "%2hhx", &token.bytes[i]) != 1)
            return CUDA_ERROR_INVALID_VALUE;
    return CALL_DRIVER(cuIpcOpenMemHandle_v2, (CUdeviceptr *, CUipcMemHandle, unsigned int), &pointer, token,
                       CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
}

static CUresult import_give(void)
{
    return CALL_DRIVER(cuIpcCloseMemHandle, (CUdeviceptr), pointer);
}

static const struct family {
    const char *kind;
    CUresult (*take)(void), (*give)(void);
} families[] = {
    {"alloc", alloc_take, free_pointer},
    {"pitch", pitch_take, free_pointer},
    {"managed", managed_take, free_pointer},
    {"async", async_take, async_give},
    {"per-thread", per_thread_take, async_give},
    {"async-freed-plainly", async_take, free_pointer},
    {"pool", pool_take, async_give},
    {"own-pool", own_pool_take, own_pool_give},
    {"kept-by-pool", kept_take, kept_give},
    {"virtual", virtual_take, virtual_give},
    {"array", array_take, array_give},
    {"array3d", array3d_take, array_give},
    {"mipmapped", mipmapped_take, mipmapped_give},
    {"graph", graph_take, graph_give},
    {"captured", captured_take, captured_give},
    {"module", module_take, module_give},
    {"context", context_take, context_give},
    {"export", export_take, free_pointer},
    {"import", import_take, import_give},
};

static void wait_for_line(void)
{
    char line[64];
    if (!fgets(line, sizeof line, stdin))
        exit(EXIT_SUCCESS);
}

static void answer(CUresult result)
{
    printf("%d\n", result);
    fflush(stdout);
    wait_for_line();
}

int main(int count, char **arguments)
{
    const struct family *family = NULL;
    for (size_t i = 0; count == 3 && i < sizeof families / sizeof families[0]; i++)
        if (strcmp(arguments[1], families[i].kind) == 0)
            family = &families[i];
    if (!family) {
        fprintf(stderr, "usage: families KIND BYTES\n");
        return EXIT_FAILURE;
    }
    argument = arguments[2];
    bytes = strtoull(argument, NULL, 10);
    context_open(0);
    wait_for_line();
    answer(CUDA_SUCCESS);
    CUresult result = family->take();
    answer(result);
    answer(result == CUDA_SUCCESS ? family->give() : result);
    return EXIT_SUCCESS;
}
