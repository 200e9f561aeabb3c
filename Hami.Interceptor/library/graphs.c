#define _GNU_SOURCE
#include "graphs.h"

#include <stdlib.h>

#include "allocations.h"
#include "driver.h"

/* In state.graphs: pointer: the instantiated graph; bytes: the most it holds at a time; owner: its device; serial: what
 * it frees itself of before it runs again; references: state.graph_trims plus one when its memory was last mapped,
 * 0 = never. */

/* ---- what a graph will take ---- */

struct need {
    uint64_t now_bytes, most_bytes;
    CUdevice device;
    struct allocations alive; /* allocations not yet freed, by pointer */
};

static void need_add(struct need *need, CUgraph graph, int depth);

static void need_node(struct need *need, CUgraphNode node, int depth)
{
    int type;
    CUDA_MEM_ALLOC_NODE_PARAMS params;
    CUdeviceptr pointer;
    CUgraph child;
    struct allocation former, alive;
    if (cuda()->cuGraphNodeGetType(node, &type) != CUDA_SUCCESS)
        return;
    if (type == CU_GRAPH_NODE_TYPE_GRAPH && cuda()->cuGraphChildGraphNodeGetGraph(node, &child) == CUDA_SUCCESS)
        need_add(need, child, depth + 1);
    if (type == CU_GRAPH_NODE_TYPE_MEM_FREE && cuda()->cuGraphMemFreeNodeGetParams(node, &pointer) == CUDA_SUCCESS &&
        allocations_take(&need->alive, pointer, &alive))
        need->now_bytes -= alive.bytes;
    if (type != CU_GRAPH_NODE_TYPE_MEM_ALLOC || cuda()->cuGraphMemAllocNodeGetParams(node, &params) != CUDA_SUCCESS ||
        params.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return;
    need->device = params.poolProps.location.id;
    alive = (struct allocation){.pointer = params.dptr, .bytes = params.bytesize};
    allocations_put(&need->alive, &alive, &former);
    need->now_bytes += params.bytesize;
    if (need->now_bytes > need->most_bytes)
        need->most_bytes = need->now_bytes;
}

/* Nodes in the order in which they were added, which for a captured stream is the order in which they run. */
static void need_add(struct need *need, CUgraph graph, int depth)
{
    size_t count = 0;
    if (depth > 64 || cuda()->cuGraphGetNodes(graph, NULL, &count) != CUDA_SUCCESS || count == 0)
        return;
    CUgraphNode *nodes = malloc(count * sizeof *nodes);
    if (!nodes)
        return;
    if (cuda()->cuGraphGetNodes(graph, nodes, &count) == CUDA_SUCCESS)
        for (size_t i = 0; i < count; i++)
            need_node(need, nodes[i], depth);
    free(nodes);
}

static void need_of(struct need *need, CUgraph graph)
{
    *need = (struct need){.now_bytes = 0};
    if (graph)
        need_add(need, graph, 0);
    allocations_forget(&need->alive);
}

/* ---- launching ---- */

bool graph_memory_reserve(struct graph_memory *memory, CUgraphExec exec)
{
    struct allocation graph;
    if (!allocations_find(&state.graphs, (uint64_t)(uintptr_t)exec, &graph))
        return true;
    memory->trims = atomic_load(&state.graph_trims);
    bool mapped = graph.references == memory->trims + 1;
    if (mapped && !atomic_load(&state.graphs_leave))
        return true; /* it has its memory still, and no other's launch can have taken it for good */
    memory->pool = pool_of_graphs((CUdevice)graph.owner);
    if (!memory->pool || !memory->pool->on_card || !memory->pool->weighed)
        return true;
    if (!pool_promise_frugally(memory->pool, graph.bytes, mapped ? graph.serial : 0, &memory->promise))
        return false;
    memory->exec = exec;
    return true;
}

void graph_memory_settle(const struct graph_memory *memory, CUresult result)
{
    struct allocation graph, former;
    pool_keep(memory->pool, &memory->promise, false);
    if (result == CUDA_SUCCESS && allocations_take(&state.graphs, (uint64_t)(uintptr_t)memory->exec, &graph)) {
        graph.references = memory->trims + 1;
        allocations_put(&state.graphs, &graph, &former);
    }
}

#define ENQUEUE(symbol)                                                                                                \
    struct graph_memory memory;                                                                                        \
    if (!graph_memory_open(&memory, exec))                                                                             \
        return CUDA_ERROR_OUT_OF_MEMORY;                                                                               \
    return graph_memory_close(&memory, cuda()->symbol(exec, stream))

EXPORT CUresult cuGraphUpload(CUgraphExec exec, CUstream stream)
{
    ENQUEUE(cuGraphUpload);
}

EXPORT CUresult cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream)
{
    ENQUEUE(cuGraphUpload_ptsz);
}

/* ---- instantiating ---- */

/* Before the driver is asked, for one of its flags has it take the memory at once. */
static CUresult instantiation_open(struct need *need, struct pool **pool, struct promise *promise, CUgraph graph,
                                   uint64_t flags)
{
    *promise = (struct promise){0, 0};
    need_of(need, graph);
    *pool = need->most_bytes ? pool_of_graphs(need->device) : NULL;
    if (*pool && !((*pool)->on_card && (*pool)->weighed))
        *pool = NULL;
    return !*pool || !(flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) ||
                   pool_promise_frugally(*pool, need->most_bytes, 0, promise)
               ? CUDA_SUCCESS
               : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult instantiation_close(const struct need *need, struct pool *pool, const struct promise *promise,
                                    CUgraphExec *exec, uint64_t flags, CUresult result)
{
    struct allocation former;
    if (!pool)
        return result;
    bool allowed = pool_keep(pool, promise, false);
    if (result != CUDA_SUCCESS)
        return result;
    if (!allowed) {
        cuda()->cuGraphExecDestroy(*exec);
        *exec = NULL;
        pool_trim(pool);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    bool frees_itself = flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    struct allocation graph = {.serial = frees_itself ? need->now_bytes : 0,
                               .pointer = (uint64_t)(uintptr_t)*exec,
                               .bytes = need->most_bytes,
                               .owner = (uint64_t)need->device};
    allocations_put(&state.graphs, &graph, &former);
    if (need->now_bytes > 0)
        atomic_store(&state.graphs_leave, true);
    atomic_store(&state.graphs_allocate, true);
    return result;
}

#define INSTANTIATE(flags, symbol, ...)                                                                                \
    struct need need;                                                                                                  \
    struct pool *pool;                                                                                                 \
    struct promise promise;                                                                                            \
    CUresult result = instantiation_open(&need, &pool, &promise, graph, flags);                                        \
    if (result != CUDA_SUCCESS)                                                                                        \
        return result;                                                                                                 \
    return instantiation_close(&need, pool, &promise, exec, flags, cuda()->symbol(__VA_ARGS__))

EXPORT CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t room)
{
    INSTANTIATE(0, cuGraphInstantiate, exec, graph, error, log, room);
}

EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t room)
{
    INSTANTIATE(0, cuGraphInstantiate_v2, exec, graph, error, log, room);
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
    INSTANTIATE(flags, cuGraphInstantiateWithFlags, exec, graph, flags);
}

EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    INSTANTIATE(params ? params->flags : 0, cuGraphInstantiateWithParams, exec, graph, params);
}

EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *exec, CUgraph graph,
                                                  CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    INSTANTIATE(params ? params->flags : 0, cuGraphInstantiateWithParams_ptsz, exec, graph, params);
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec)
{
    struct allocation graph, former;
    bool known = atomic_load_explicit(&state.graphs_allocate, memory_order_relaxed) &&
                 allocations_take(&state.graphs, (uint64_t)(uintptr_t)exec, &graph);
    CUresult result = cuda()->cuGraphExecDestroy(exec);
    if (known && result != CUDA_SUCCESS)
        allocations_put(&state.graphs, &graph, &former);
    return result;
}

EXPORT CUresult cuDeviceGraphMemTrim(CUdevice device)
{
    CUresult result = cuda()->cuDeviceGraphMemTrim(device);
    if (result != CUDA_SUCCESS || !atomic_load(&state.graphs_allocate))
        return result;
    atomic_fetch_add(&state.graph_trims, 1);
    struct pool *pool = pool_of_graphs(device);
    if (pool)
        pool_settle(pool);
    return result;
}
