#define _GNU_SOURCE
#include "streams.h"

#include "driver.h"

CUcontext stream_context(CUstream stream, bool per_thread)
{
    CUcontext context = NULL;
    bool is_default = !stream || stream == CU_STREAM_LEGACY || stream == CU_STREAM_PER_THREAD;
    if (!is_default && (per_thread ? cuda()->cuStreamGetCtx_ptsz(stream, &context)
                                   : cuda()->cuStreamGetCtx(stream, &context)) == CUDA_SUCCESS)
        return context;
    return cuda()->cuCtxGetCurrent(&context) == CUDA_SUCCESS ? context : NULL;
}

int cards_visible(void)
{
    int count = atomic_load_explicit(&state.cards, memory_order_relaxed);
    if (count == 0 && cuda()->cuDeviceGetCount(&count) == CUDA_SUCCESS)
        atomic_store(&state.cards, count);
    return count;
}
