/* Chapters "Execution Control" and "Graph Management", what sends work to a card. A launch that nothing holds back is a
 * jump to the driver. */
#define _GNU_SOURCE
#include "driver.h"
#include "gate.h"
#include "graphs.h"

/* The wrapper, and beside it what it jumps to when it must look. */
#define GATED(symbol, kind, stream_of, per_thread, parameters, ...)                                                    \
    static __attribute__((noinline)) CUresult look_##symbol parameters                                                 \
    {                                                                                                                  \
        struct gate gate;                                                                                              \
        gate_open(&gate, kind, stream_of, per_thread);                                                                 \
        CUresult result = cuda()->symbol(__VA_ARGS__);                                                                 \
        gate_close(&gate, result);                                                                                     \
        return result;                                                                                                 \
    }                                                                                                                  \
    EXPORT CUresult symbol parameters                                                                                  \
    {                                                                                                                  \
        return gate_is_open(kind) ? state.cuda.symbol(__VA_ARGS__) : look_##symbol(__VA_ARGS__);                       \
    }

GATED(cuLaunchKernel, PACE_KERNEL, stream, false,
      (CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
       unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream, void **parameters,
       void **extra),
      function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters, extra)

GATED(cuLaunchKernel_ptsz, PACE_KERNEL, stream, true,
      (CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
       unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream, void **parameters,
       void **extra),
      function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters, extra)

GATED(cuLaunchKernelEx, PACE_KERNEL, config ? config->hStream : NULL, false,
      (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra), config, function,
      parameters, extra)

GATED(cuLaunchKernelEx_ptsz, PACE_KERNEL, config ? config->hStream : NULL, true,
      (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra), config, function,
      parameters, extra)

GATED(cuLaunchCooperativeKernel, PACE_KERNEL, stream, false,
      (CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
       unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream, void **parameters),
      function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters)

GATED(cuLaunchCooperativeKernel_ptsz, PACE_KERNEL, stream, true,
      (CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
       unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream, void **parameters),
      function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, parameters)

GATED(cuLaunch, PACE_KERNEL, NULL, false, (CUfunction function), function)

GATED(cuLaunchGrid, PACE_KERNEL, NULL, false, (CUfunction function, int width, int height), function, width, height)

GATED(cuLaunchGridAsync, PACE_KERNEL, stream, false, (CUfunction function, int width, int height, CUstream stream),
      function, width, height, stream)

/* Deprecated, and measured on the first of its cards. */
GATED(cuLaunchCooperativeKernelMultiDevice, PACE_GRAPH, list &&count > 0 ? list->hStream : NULL, false,
      (CUDA_LAUNCH_PARAMS * list, unsigned int count, unsigned int flags), list, count, flags)

/* Memory first: a graph that does not fit is refused without having waited for its turn. */
#define GRAPH_LAUNCH(symbol, per_thread)                                                                               \
    EXPORT CUresult symbol(CUgraphExec exec, CUstream stream)                                                          \
    {                                                                                                                  \
        struct graph_memory memory;                                                                                    \
        if (!graph_memory_open(&memory, exec))                                                                         \
            return CUDA_ERROR_OUT_OF_MEMORY;                                                                           \
        if (gate_is_open(PACE_GRAPH))                                                                                  \
            return graph_memory_close(&memory, state.cuda.symbol(exec, stream));                                       \
        struct gate gate;                                                                                              \
        gate_open(&gate, PACE_GRAPH, stream, per_thread);                                                              \
        CUresult result = graph_memory_close(&memory, cuda()->symbol(exec, stream));                                   \
        gate_close(&gate, result);                                                                                     \
        return result;                                                                                                 \
    }

GRAPH_LAUNCH(cuGraphLaunch, false)
GRAPH_LAUNCH(cuGraphLaunch_ptsz, true)
