/* Memory nodes of graphs. A graph takes memory when it is launched or uploaded; a device keeps one reservation for all
 * of its graphs (struct pool), which shrinks only when it is trimmed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cuda_abi.h"
#include "pools.h"
#include "state.h"

/* Around a launch or an upload. */
struct graph_memory {
    CUgraphExec exec; /* NULL: it takes none */
    struct pool *pool;
    struct promise promise;
    uint32_t trims;
};

bool graph_memory_reserve(struct graph_memory *memory, CUgraphExec exec);
void graph_memory_settle(const struct graph_memory *memory, CUresult result);

/* False: the graph's memory does not fit. A program none of whose graphs has memory nodes pays one look at a flag. */
static inline bool graph_memory_open(struct graph_memory *memory, CUgraphExec exec)
{
    memory->exec = NULL;
    return !atomic_load_explicit(&state.graphs_allocate, memory_order_relaxed) || graph_memory_reserve(memory, exec);
}

/* Returns the result. */
static inline CUresult graph_memory_close(const struct graph_memory *memory, CUresult result)
{
    if (memory->exec)
        graph_memory_settle(memory, result);
    return result;
}
