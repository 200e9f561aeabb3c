/* Chapter "Execution Control". No kernel computes anything here; it takes the card's time: HAMI_FAKE_KERNEL_NS each,
 * and HAMI_FAKE_BLOCK_NS for each block, of which as many run at a time as the card has multiprocessors. */
#include "cuda.h"

#include <stdlib.h>

static uint64_t setting_ns(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static struct {
    _Atomic bool is_read;
    uint64_t kernel_ns, block_ns;
} costs;

static void costs_read(void)
{
    costs.kernel_ns = setting_ns("HAMI_FAKE_KERNEL_NS");
    costs.block_ns = setting_ns("HAMI_FAKE_BLOCK_NS");
    costs.is_read = true;
}

static uint64_t cost_ns(uint64_t grid_x, uint64_t grid_y, uint64_t grid_z)
{
    if (!costs.is_read)
        costs_read();
    if (costs.block_ns == 0 || !current)
        return costs.kernel_ns;
    uint64_t blocks, ns, multiprocessors = driver.cards[current->card].multiprocessors;
    if (__builtin_mul_overflow(grid_x, grid_y, &blocks) || __builtin_mul_overflow(blocks, grid_z, &blocks) ||
        __builtin_mul_overflow(blocks, costs.block_ns, &ns))
        ns = UINT64_C(1) << 40; /* some twenty minutes */
    return costs.kernel_ns + ns / (multiprocessors ? multiprocessors : 1);
}

static CUresult launch(CUstream stream, uint64_t grid_x, uint64_t grid_y, uint64_t grid_z)
{
    CUresult result = check_context();
    if (result == CUDA_SUCCESS && (grid_x == 0 || grid_y == 0 || grid_z == 0))
        return CUDA_ERROR_INVALID_VALUE;
    return result == CUDA_SUCCESS ? stream_work(stream, cost_ns(grid_x, grid_y, grid_z)) : result;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                               unsigned int block_x, unsigned int block_y, unsigned int block_z,
                               unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
    INJECT();
    (void)function, (void)block_x, (void)block_y, (void)block_z, (void)shared_bytes, (void)parameters, (void)extra;
    return launch(stream, grid_x, grid_y, grid_z);
}

EXPORT CUresult cuLaunchKernel_ptsz(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                                    unsigned int block_x, unsigned int block_y, unsigned int block_z,
                                    unsigned int shared_bytes, CUstream stream, void **parameters, void **extra)
{
    INJECT();
    (void)function, (void)block_x, (void)block_y, (void)block_z, (void)shared_bytes, (void)parameters, (void)extra;
    return launch(stream, grid_x, grid_y, grid_z);
}

EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra)
{
    INJECT();
    (void)function, (void)parameters, (void)extra;
    return config ? launch(config->hStream, config->gridDimX, config->gridDimY, config->gridDimZ)
                  : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuLaunchKernelEx_ptsz(const CUlaunchConfig *config, CUfunction function, void **parameters,
                                      void **extra)
{
    return cuLaunchKernelEx(config, function, parameters, extra);
}

EXPORT CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                          unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                          unsigned int block_z, unsigned int shared_bytes, CUstream stream,
                                          void **parameters)
{
    INJECT();
    (void)function, (void)block_x, (void)block_y, (void)block_z, (void)shared_bytes, (void)parameters;
    return launch(stream, grid_x, grid_y, grid_z);
}

EXPORT CUresult cuLaunchCooperativeKernel_ptsz(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                               unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                               unsigned int block_z, unsigned int shared_bytes, CUstream stream,
                                               void **parameters)
{
    return cuLaunchCooperativeKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream,
                                     parameters);
}

EXPORT CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *list, unsigned int count, unsigned int flags)
{
    INJECT();
    (void)flags;
    CUresult result = list && count > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    for (unsigned int i = 0; i < count && result == CUDA_SUCCESS; i++)
        result = launch(list[i].hStream, list[i].gridDimX, list[i].gridDimY, list[i].gridDimZ);
    return result;
}

EXPORT CUresult cuLaunch(CUfunction function)
{
    (void)function;
    return launch(NULL, 1, 1, 1);
}

EXPORT CUresult cuLaunchGrid(CUfunction function, int width, int height)
{
    (void)function;
    return launch(NULL, (unsigned int)width, (unsigned int)height, 1);
}

EXPORT CUresult cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream)
{
    (void)function;
    return launch(stream, (unsigned int)width, (unsigned int)height, 1);
}
