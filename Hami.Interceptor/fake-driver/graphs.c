/* Chapter "Graph Management": a graph is as many kernels as its handle says. */
#include "cuda.h"

EXPORT CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream)
{
    INJECT();
    return graph ? graph_work(stream, (unsigned int)(uintptr_t)graph) : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGraphLaunch_ptsz(CUgraphExec graph, CUstream stream)
{
    return cuGraphLaunch(graph, stream);
}
