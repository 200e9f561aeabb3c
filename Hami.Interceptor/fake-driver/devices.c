/* Chapter "Device Management". */
#include "cuda.h"

#include <stdio.h>

CUresult check_device(CUdevice device)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    return device >= 0 && device < driver.count ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

EXPORT CUresult cuDeviceGetCount(int *count)
{
    INJECT();
    CUresult result = check_initialised();
    return result == CUDA_SUCCESS ? int_out(count, driver.count) : result;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    INJECT();
    CUresult result = check_device(ordinal);
    return result == CUDA_SUCCESS ? int_out(device, ordinal) : result;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!name || length <= 0)
        return CUDA_ERROR_INVALID_VALUE;
    snprintf(name, (size_t)length, "%s", driver.cards[device].model);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!uuid)
        return CUDA_ERROR_INVALID_VALUE;
    uuid_bytes(driver.cards[device].uuid, uuid->bytes);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
    return cuDeviceGetUuid_v2(uuid, device);
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    INJECT();
    CUresult result = check_device(device);
    if (result != CUDA_SUCCESS)
        return result;
    if (!bytes)
        return CUDA_ERROR_INVALID_VALUE;
    *bytes = driver.cards[device].memory_bytes;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
    size_t all;
    CUresult result = cuDeviceTotalMem_v2(&all, device);
    if (result == CUDA_SUCCESS && !bytes)
        return CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS)
        *bytes = size_v1(all);
    return result;
}
