/* Chapter "Graph Management": graphs of memory nodes and kernels. Nodes run in the order in which they were added. The
 * memory of all graphs of a device is one reservation, which grows at a launch (or an upload) and shrinks only when it
 * is trimmed. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

struct CUgraphNode_st {
    CUgraphNode next;
    int type;
    uint64_t pointer, bytes; /* of an allocation; of a free the pointer */
    int card;
    CUgraph child;
};

struct CUgraph_st {
    CUgraphNode first, last;
    uint64_t work_ns; /* of its kernels, which are no nodes here */
};

/* An allocation that the graph does not free is the program's after the launch. */
struct left {
    struct left *next;
    uint64_t pointer, bytes;
};

struct CUgraphExec_st {
    int card;
    uint64_t peak_bytes, work_ns;
    struct left *left;
    unsigned int trims; /* of the device when this was mapped, plus one */
    bool frees_itself;
};

static const uint64_t unit_bytes = UINT64_C(2) << 20;
static struct CUmemPoolHandle_st reservation[CARDS_MAX];
static unsigned int trims[CARDS_MAX];

void graphs_forget(void)
{
    memset(reservation, 0, sizeof reservation);
}

static CUgraphNode node_add(CUgraph graph, int type)
{
    CUgraphNode node = calloc(1, sizeof *node);
    if (!node)
        abort();
    node->type = type;
    if (graph->last)
        graph->last->next = node;
    else
        graph->first = node;
    graph->last = node;
    return node;
}

static uint64_t round_up(uint64_t bytes, uint64_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

CUresult graph_add_allocation(CUgraph graph, CUdeviceptr *pointer, uint64_t bytes, int card)
{
    if (!pointer || bytes == 0 || bytes > UINT64_C(1) << 48)
        return CUDA_ERROR_INVALID_VALUE;
    CUgraphNode node = node_add(graph, CU_GRAPH_NODE_TYPE_MEM_ALLOC);
    node->bytes = round_up(bytes, 512);
    node->card = card;
    pthread_mutex_lock(&driver.lock);
    *pointer = node->pointer = address_take(node->bytes);
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

void graph_add_work(CUgraph graph, uint64_t work_ns)
{
    graph->work_ns += work_ns;
}

static CUgraphNode allocation_of(CUgraph graph, uint64_t pointer)
{
    for (CUgraphNode node = graph->first; node; node = node->next)
        if (node->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && node->pointer == pointer)
            return node;
    return NULL;
}

CUresult graph_add_free(CUgraph graph, CUdeviceptr pointer)
{
    CUgraphNode allocation = allocation_of(graph, pointer);
    if (!allocation)
        return CUDA_ERROR_INVALID_VALUE;
    CUgraphNode node = node_add(graph, CU_GRAPH_NODE_TYPE_MEM_FREE);
    node->pointer = pointer;
    node->bytes = allocation->bytes;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphCreate(CUgraph *graph, unsigned int flags)
{
    INJECT();
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    if (!graph || flags != 0 || !(*graph = calloc(1, sizeof **graph)))
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphDestroy(CUgraph graph)
{
    if (!graph)
        return CUDA_ERROR_INVALID_VALUE;
    while (graph->first) {
        CUgraphNode node = graph->first;
        graph->first = node->next;
        free(node);
    }
    free(graph);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t count,
                                       CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
    INJECT();
    (void)after;
    (void)count;
    if (!node || !graph || !params || params->poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = check_device(params->poolProps.location.id);
    if (result == CUDA_SUCCESS)
        result = graph_add_allocation(graph, &params->dptr, params->bytesize, params->poolProps.location.id);
    if (result == CUDA_SUCCESS)
        *node = graph->last;
    return result;
}

EXPORT CUresult cuGraphAddMemFreeNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t count,
                                      CUdeviceptr pointer)
{
    (void)after;
    (void)count;
    if (!node || !graph)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = graph_add_free(graph, pointer);
    if (result == CUDA_SUCCESS)
        *node = graph->last;
    return result;
}

EXPORT CUresult cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t count,
                                         CUgraph child)
{
    (void)after;
    (void)count;
    if (!node || !graph || !child)
        return CUDA_ERROR_INVALID_VALUE;
    *node = node_add(graph, CU_GRAPH_NODE_TYPE_GRAPH);
    (*node)->child = child;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    if (!graph || !count)
        return CUDA_ERROR_INVALID_VALUE;
    size_t found = 0;
    for (CUgraphNode node = graph->first; node; node = node->next, found++)
        if (nodes && found < *count)
            nodes[found] = node;
    *count = !nodes || found < *count ? found : *count;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphNodeGetType(CUgraphNode node, int *type)
{
    return node ? int_out(type, node->type) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
    if (!node || !params || node->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC)
        return CUDA_ERROR_INVALID_VALUE;
    *params = (CUDA_MEM_ALLOC_NODE_PARAMS){.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                                         .location = {CU_MEM_LOCATION_TYPE_DEVICE, node->card}},
                                           .bytesize = node->bytes,
                                           .dptr = node->pointer};
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr *pointer)
{
    if (!node || !pointer || node->type != CU_GRAPH_NODE_TYPE_MEM_FREE)
        return CUDA_ERROR_INVALID_VALUE;
    *pointer = node->pointer;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *child)
{
    if (!node || !child || node->type != CU_GRAPH_NODE_TYPE_GRAPH)
        return CUDA_ERROR_INVALID_VALUE;
    *child = node->child;
    return CUDA_SUCCESS;
}

/* ---- instantiated ---- */

static bool frees(CUgraph graph, uint64_t pointer)
{
    for (CUgraphNode node = graph->first; node; node = node->next)
        if (node->type == CU_GRAPH_NODE_TYPE_MEM_FREE && node->pointer == pointer)
            return true;
    return false;
}

static void plan(CUgraphExec exec, CUgraph graph, uint64_t *now_bytes)
{
    exec->work_ns += graph->work_ns;
    for (CUgraphNode node = graph->first; node; node = node->next) {
        if (node->type == CU_GRAPH_NODE_TYPE_GRAPH)
            plan(exec, node->child, now_bytes);
        if (node->type == CU_GRAPH_NODE_TYPE_MEM_FREE)
            *now_bytes -= node->bytes;
        if (node->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC)
            continue;
        *now_bytes += node->bytes;
        exec->card = node->card;
        if (*now_bytes > exec->peak_bytes)
            exec->peak_bytes = *now_bytes;
        if (!frees(graph, node->pointer)) {
            struct left *left = malloc(sizeof *left);
            if (!left)
                abort();
            *left = (struct left){exec->left, node->pointer, node->bytes};
            exec->left = left;
        }
    }
}

/* Held: the driver's lock. */
static CUresult map(CUgraphExec exec)
{
    struct CUmemPoolHandle_st *all = &reservation[exec->card];
    uint64_t unused = all->reserved_bytes - all->used_bytes;
    all->card = exec->card;
    all->of_graphs = true;
    if (exec->trims == trims[exec->card] + 1 && exec->peak_bytes <= unused)
        return CUDA_SUCCESS;
    uint64_t growth = exec->peak_bytes > unused ? round_up(exec->peak_bytes - unused, unit_bytes) : 0;
    if (growth && !node_take(&driver.cards[exec->card], growth))
        return CUDA_ERROR_OUT_OF_MEMORY;
    all->reserved_bytes += growth;
    exec->trims = trims[exec->card] + 1;
    return CUDA_SUCCESS;
}

static CUresult upload(CUgraphExec exec)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS || !exec)
        return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    result = map(exec);
    pthread_mutex_unlock(&driver.lock);
    return result;
}

/* It may run again only when what it left was freed. */
static CUresult launch(CUgraphExec exec, CUstream stream)
{
    CUmemoryPool pool;
    CUresult result = check_context();
    if (result != CUDA_SUCCESS || !exec)
        return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_VALUE;
    for (struct left *left = exec->left; left; left = left->next)
        if (block_pool(left->pointer, &pool) == CUDA_SUCCESS) {
            if (!exec->frees_itself)
                return CUDA_ERROR_INVALID_VALUE;
            block_remove(left->pointer, false);
        }
    pthread_mutex_lock(&driver.lock);
    result = map(exec);
    for (struct left *left = exec->left; left && result == CUDA_SUCCESS; left = left->next) {
        block_note(left->pointer, left->bytes, &reservation[exec->card]);
        reservation[exec->card].used_bytes += left->bytes;
    }
    pthread_mutex_unlock(&driver.lock);
    return result == CUDA_SUCCESS ? stream_work(stream, exec->work_ns) : result;
}

static CUresult instantiate(CUgraphExec *exec, CUgraph graph, uint64_t flags)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS || !exec || !graph)
        return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_VALUE;
    CUgraphExec created = calloc(1, sizeof *created);
    uint64_t now_bytes = 0;
    if (!created)
        abort();
    created->frees_itself = flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    plan(created, graph, &now_bytes);
    if (flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD)
        result = upload(created);
    if (result == CUDA_SUCCESS)
        *exec = created;
    else
        cuGraphExecDestroy(created);
    return result;
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
    INJECT();
    return instantiate(exec, graph, flags);
}

EXPORT CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t room)
{
    INJECT();
    (void)error;
    (void)log;
    (void)room;
    return instantiate(exec, graph, 0);
}

EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log, size_t room)
{
    INJECT();
    (void)error;
    (void)log;
    (void)room;
    return instantiate(exec, graph, 0);
}

EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    INJECT();
    return params ? instantiate(exec, graph, params->flags) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *exec, CUgraph graph,
                                                  CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
    INJECT();
    return params ? instantiate(exec, graph, params->flags) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGraphUpload(CUgraphExec exec, CUstream stream)
{
    INJECT();
    (void)stream;
    return upload(exec);
}

EXPORT CUresult cuGraphUpload_ptsz(CUgraphExec exec, CUstream stream)
{
    INJECT();
    (void)stream;
    return upload(exec);
}

EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
    INJECT();
    return launch(exec, stream);
}

EXPORT CUresult cuGraphLaunch_ptsz(CUgraphExec exec, CUstream stream)
{
    INJECT();
    return launch(exec, stream);
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec)
{
    if (!exec)
        return CUDA_ERROR_INVALID_VALUE;
    while (exec->left) {
        struct left *left = exec->left;
        exec->left = left->next;
        free(left);
    }
    free(exec);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGraphMemTrim(CUdevice device)
{
    INJECT();
    if (call_is_unsafe())
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    pthread_mutex_lock(&driver.lock);
    uint64_t keep_bytes = round_up(reservation[device].used_bytes, unit_bytes);
    if (reservation[device].reserved_bytes > keep_bytes)
        node_give(&driver.cards[device], reservation[device].reserved_bytes - keep_bytes);
    if (reservation[device].reserved_bytes > keep_bytes)
        reservation[device].reserved_bytes = keep_bytes;
    trims[device]++;
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetGraphMemAttribute(CUdevice device, int attribute, void *value)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    bool reserved = attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT;
    if (!value || (!reserved && attribute != CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT))
        return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    *(uint64_t *)value = reserved ? reservation[device].reserved_bytes : reservation[device].used_bytes;
    pthread_mutex_unlock(&driver.lock);
    return CUDA_SUCCESS;
}
