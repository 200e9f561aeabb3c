/* Chapter "Driver Entry Point Access": functions by name, CUDA version and flags. */
#include "cuda.h"

#include <stdlib.h>
#include <string.h>

/* Which function a name means since which CUDA version; the stream ones have a per-thread twin. */
static const struct {
    const char *name;
    int since;
    void *function, *per_thread;
} procedures[] = {
    {"cuInit", 2000, (void *)cuInit, NULL},
    {"cuDriverGetVersion", 2020, (void *)cuDriverGetVersion, NULL},
    {"cuGetErrorName", 6000, (void *)cuGetErrorName, NULL},
    {"cuGetErrorString", 6000, (void *)cuGetErrorString, NULL},
    {"cuGetProcAddress", 11030, (void *)cuGetProcAddress, NULL},
    {"cuGetProcAddress", 12000, (void *)cuGetProcAddress_v2, NULL},
    {"cuDeviceGetCount", 2000, (void *)cuDeviceGetCount, NULL},
    {"cuDeviceGet", 2000, (void *)cuDeviceGet, NULL},
    {"cuDeviceGetName", 2000, (void *)cuDeviceGetName, NULL},
    {"cuDeviceGetUuid", 9020, (void *)cuDeviceGetUuid, NULL},
    {"cuDeviceGetUuid", 11040, (void *)cuDeviceGetUuid_v2, NULL},
    {"cuDeviceTotalMem", 2000, (void *)cuDeviceTotalMem, NULL},
    {"cuDeviceTotalMem", 3020, (void *)cuDeviceTotalMem_v2, NULL},
    {"cuCtxCreate", 3020, (void *)cuCtxCreate_v2, NULL},
    {"cuCtxCreate", 11040, (void *)cuCtxCreate_v3, NULL},
    {"cuCtxCreate", 12050, (void *)cuCtxCreate_v4, NULL},
    {"cuCtxDestroy", 4000, (void *)cuCtxDestroy_v2, NULL},
    {"cuCtxGetDevice", 2000, (void *)cuCtxGetDevice, NULL},
    {"cuCtxSetCurrent", 4000, (void *)cuCtxSetCurrent, NULL},
    {"cuCtxGetCurrent", 4000, (void *)cuCtxGetCurrent, NULL},
    {"cuDevicePrimaryCtxRetain", 7000, (void *)cuDevicePrimaryCtxRetain, NULL},
    {"cuDevicePrimaryCtxRelease", 11000, (void *)cuDevicePrimaryCtxRelease_v2, NULL},
    {"cuDevicePrimaryCtxReset", 11000, (void *)cuDevicePrimaryCtxReset_v2, NULL},
    {"cuDevicePrimaryCtxGetState", 7000, (void *)cuDevicePrimaryCtxGetState, NULL},
    {"cuMemAlloc", 2000, (void *)cuMemAlloc, NULL},
    {"cuMemAlloc", 3020, (void *)cuMemAlloc_v2, NULL},
    {"cuMemAllocManaged", 6000, (void *)cuMemAllocManaged, NULL},
    {"cuMemFree", 2000, (void *)cuMemFree, NULL},
    {"cuMemFree", 3020, (void *)cuMemFree_v2, NULL},
    {"cuMemGetInfo", 2000, (void *)cuMemGetInfo, NULL},
    {"cuMemGetInfo", 3020, (void *)cuMemGetInfo_v2, NULL},
    {"cuPointerGetAttribute", 4000, (void *)cuPointerGetAttribute, NULL},
    {"cuDeviceGetDefaultMemPool", 11020, (void *)cuDeviceGetDefaultMemPool, NULL},
    {"cuMemAllocAsync", 11020, (void *)cuMemAllocAsync, (void *)cuMemAllocAsync_ptsz},
    {"cuMemAllocFromPoolAsync", 11020, (void *)cuMemAllocFromPoolAsync, (void *)cuMemAllocFromPoolAsync_ptsz},
    {"cuMemFreeAsync", 11020, (void *)cuMemFreeAsync, (void *)cuMemFreeAsync_ptsz},
    {"cuDeviceGetMemPool", 11020, (void *)cuDeviceGetMemPool, NULL},
    {"cuDeviceSetMemPool", 11020, (void *)cuDeviceSetMemPool, NULL},
    {"cuMemPoolCreate", 11020, (void *)cuMemPoolCreate, NULL},
    {"cuMemPoolDestroy", 11020, (void *)cuMemPoolDestroy, NULL},
    {"cuMemPoolTrimTo", 11020, (void *)cuMemPoolTrimTo, NULL},
    {"cuMemPoolGetAttribute", 11020, (void *)cuMemPoolGetAttribute, NULL},
    {"cuMemPoolSetAttribute", 11020, (void *)cuMemPoolSetAttribute, NULL},
    {"cuStreamIsCapturing", 10000, (void *)cuStreamIsCapturing, (void *)cuStreamIsCapturing_ptsz},
    {"cuArrayCreate", 2000, (void *)cuArrayCreate, NULL},
    {"cuArrayCreate", 3020, (void *)cuArrayCreate_v2, NULL},
    {"cuArray3DCreate", 2000, (void *)cuArray3DCreate, NULL},
    {"cuArray3DCreate", 3020, (void *)cuArray3DCreate_v2, NULL},
    {"cuArrayDestroy", 2000, (void *)cuArrayDestroy, NULL},
    {"cuMipmappedArrayCreate", 5000, (void *)cuMipmappedArrayCreate, NULL},
    {"cuMipmappedArrayDestroy", 5000, (void *)cuMipmappedArrayDestroy, NULL},
    {"cuStreamBeginCapture", 10010, (void *)cuStreamBeginCapture_v2, (void *)cuStreamBeginCapture_v2_ptsz},
    {"cuStreamEndCapture", 10000, (void *)cuStreamEndCapture, (void *)cuStreamEndCapture_ptsz},
    {"cuGraphCreate", 10000, (void *)cuGraphCreate, NULL},
    {"cuGraphDestroy", 10000, (void *)cuGraphDestroy, NULL},
    {"cuGraphAddMemAllocNode", 11040, (void *)cuGraphAddMemAllocNode, NULL},
    {"cuGraphAddMemFreeNode", 11040, (void *)cuGraphAddMemFreeNode, NULL},
    {"cuGraphAddChildGraphNode", 10000, (void *)cuGraphAddChildGraphNode, NULL},
    {"cuGraphGetNodes", 10000, (void *)cuGraphGetNodes, NULL},
    {"cuGraphNodeGetType", 10000, (void *)cuGraphNodeGetType, NULL},
    {"cuGraphMemAllocNodeGetParams", 11040, (void *)cuGraphMemAllocNodeGetParams, NULL},
    {"cuGraphMemFreeNodeGetParams", 11040, (void *)cuGraphMemFreeNodeGetParams, NULL},
    {"cuGraphChildGraphNodeGetGraph", 10000, (void *)cuGraphChildGraphNodeGetGraph, NULL},
    {"cuGraphInstantiate", 10000, (void *)cuGraphInstantiate, NULL},
    {"cuGraphInstantiate", 11000, (void *)cuGraphInstantiate_v2, NULL},
    {"cuGraphInstantiate", 12000, (void *)cuGraphInstantiateWithFlags, NULL},
    {"cuGraphInstantiateWithFlags", 11040, (void *)cuGraphInstantiateWithFlags, NULL},
    {"cuGraphInstantiateWithParams", 12000, (void *)cuGraphInstantiateWithParams,
     (void *)cuGraphInstantiateWithParams_ptsz},
    {"cuGraphUpload", 11010, (void *)cuGraphUpload, (void *)cuGraphUpload_ptsz},
    {"cuGraphLaunch", 10000, (void *)cuGraphLaunch, (void *)cuGraphLaunch_ptsz},
    {"cuGraphExecDestroy", 10000, (void *)cuGraphExecDestroy, NULL},
    {"cuDeviceGraphMemTrim", 11040, (void *)cuDeviceGraphMemTrim, NULL},
    {"cuDeviceGetGraphMemAttribute", 11040, (void *)cuDeviceGetGraphMemAttribute, NULL},
    {"cuCtxSetLimit", 3010, (void *)cuCtxSetLimit, NULL},
    {"cuCtxGetLimit", 3010, (void *)cuCtxGetLimit, NULL},
    {"cuMemAllocPitch", 2000, (void *)cuMemAllocPitch, NULL},
    {"cuMemAllocPitch", 3020, (void *)cuMemAllocPitch_v2, NULL},
    {"cuMemExportToShareableHandle", 10020, (void *)cuMemExportToShareableHandle, NULL},
    {"cuMemImportFromShareableHandle", 10020, (void *)cuMemImportFromShareableHandle, NULL},
    {"cuMulticastCreate", 12010, (void *)cuMulticastCreate, NULL},
    {"cuMulticastBindMem", 12010, (void *)cuMulticastBindMem, NULL},
    {"cuMulticastBindMem", 13010, (void *)cuMulticastBindMem_v2, NULL},
    {"cuMulticastBindAddr", 12010, (void *)cuMulticastBindAddr, NULL},
    {"cuMulticastBindAddr", 13010, (void *)cuMulticastBindAddr_v2, NULL},
    {"cuMulticastUnbind", 12010, (void *)cuMulticastUnbind, NULL},
    {"cuMemCreate", 10020, (void *)cuMemCreate, NULL},
    {"cuMemRelease", 10020, (void *)cuMemRelease, NULL},
    {"cuMemRetainAllocationHandle", 11000, (void *)cuMemRetainAllocationHandle, NULL},
    {"cuMemAddressReserve", 10020, (void *)cuMemAddressReserve, NULL},
    {"cuMemMap", 10020, (void *)cuMemMap, NULL},
    {"cuMemUnmap", 10020, (void *)cuMemUnmap, NULL},
    {"cuCtxPushCurrent", 4000, (void *)cuCtxPushCurrent_v2, NULL},
    {"cuCtxPopCurrent", 4000, (void *)cuCtxPopCurrent_v2, NULL},
    {"cuCtxSynchronize", 2000, (void *)cuCtxSynchronize, NULL},
    {"cuStreamCreate", 2000, (void *)cuStreamCreate, NULL},
    {"cuStreamDestroy", 4000, (void *)cuStreamDestroy_v2, NULL},
    {"cuStreamSynchronize", 2000, (void *)cuStreamSynchronize, (void *)cuStreamSynchronize_ptsz},
    {"cuStreamGetCtx", 9020, (void *)cuStreamGetCtx, (void *)cuStreamGetCtx_ptsz},
    {"cuThreadExchangeStreamCaptureMode", 10010, (void *)cuThreadExchangeStreamCaptureMode, NULL},
    {"cuEventCreate", 2000, (void *)cuEventCreate, NULL},
    {"cuEventDestroy", 4000, (void *)cuEventDestroy_v2, NULL},
    {"cuEventRecord", 2000, (void *)cuEventRecord, (void *)cuEventRecord_ptsz},
    {"cuEventQuery", 2000, (void *)cuEventQuery, NULL},
    {"cuEventSynchronize", 2000, (void *)cuEventSynchronize, NULL},
    {"cuEventElapsedTime", 2000, (void *)cuEventElapsedTime, NULL},
    {"cuLaunchKernel", 4000, (void *)cuLaunchKernel, (void *)cuLaunchKernel_ptsz},
    {"cuLaunchKernelEx", 11060, (void *)cuLaunchKernelEx, (void *)cuLaunchKernelEx_ptsz},
    {"cuLaunchCooperativeKernel", 9000, (void *)cuLaunchCooperativeKernel, (void *)cuLaunchCooperativeKernel_ptsz},
    {"cuLaunchCooperativeKernelMultiDevice", 9000, (void *)cuLaunchCooperativeKernelMultiDevice, NULL},
    {"cuLaunch", 2000, (void *)cuLaunch, NULL},
    {"cuLaunchGrid", 2000, (void *)cuLaunchGrid, NULL},
    {"cuLaunchGridAsync", 2000, (void *)cuLaunchGridAsync, NULL},
};

/* HAMI_FAKE_INNER=1: some answers are copies that have no exported name. */
static CUresult inner_alloc(CUdeviceptr *pointer, size_t bytes)
{
    return cuMemAlloc_v2(pointer, bytes);
}

static CUresult inner_alloc_async(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    return cuMemAllocAsync(pointer, bytes, stream);
}

static CUresult inner_alloc_async_per_thread(CUdeviceptr *pointer, size_t bytes, CUstream stream)
{
    return cuMemAllocAsync_ptsz(pointer, bytes, stream);
}

static CUresult inner_get_address(const char *symbol, void **address, int cuda_version, uint64_t flags, int *status)
{
    return cuGetProcAddress_v2(symbol, address, cuda_version, flags, status);
}

static void *inner_of(void *function)
{
    static const struct {
        void *exported, *inner;
    } copies[] = {{(void *)cuMemAlloc_v2, (void *)inner_alloc},
                  {(void *)cuMemAllocAsync, (void *)inner_alloc_async},
                  {(void *)cuMemAllocAsync_ptsz, (void *)inner_alloc_async_per_thread},
                  {(void *)cuGetProcAddress_v2, (void *)inner_get_address}};
    for (size_t i = 0; getenv("HAMI_FAKE_INNER") && i < sizeof copies / sizeof copies[0]; i++)
        if (copies[i].exported == function)
            return copies[i].inner;
    return function;
}

EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **address, int cuda_version, uint64_t flags, int *status)
{
    if (!symbol || !address)
        return CUDA_ERROR_INVALID_VALUE;
    int outcome = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    *address = NULL;
    for (size_t i = 0; i < sizeof procedures / sizeof procedures[0]; i++) {
        if (strcmp(procedures[i].name, symbol) != 0)
            continue;
        if (procedures[i].since <= cuda_version) { /* later rows are newer */
            bool per_thread = (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) && procedures[i].per_thread;
            *address = per_thread ? procedures[i].per_thread : procedures[i].function;
            outcome = CU_GET_PROC_ADDRESS_SUCCESS;
        } else if (!*address) {
            outcome = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
        }
    }
    *address = inner_of(*address);
    if (status)
        *status = outcome;
    return *address ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

EXPORT CUresult cuGetProcAddress(const char *symbol, void **address, int cuda_version, uint64_t flags)
{
    return cuGetProcAddress_v2(symbol, address, cuda_version, flags, NULL);
}
