#define _GNU_SOURCE
#include "device.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "account.h"
#include "driver.h"
#include "settings.h"

/* Position of the UUID in the limits file; without one, in NVIDIA_VISIBLE_DEVICES; -1 when it is not named there. */
static int position_allocated(const char *uuid)
{
    (void)region_get(); /* with it the settings are known */
    if (state.settings.from_file)
        return settings_card(&state.settings, uuid);
    const char *list = getenv("NVIDIA_VISIBLE_DEVICES");
    for (int position = 0; list && *list; position++) {
        size_t length = strcspn(list, ",");
        if (is_same_uuid(uuid, list, length))
            return position;
        list += length;
        list += *list == ',';
    }
    return -1;
}

static int position_in_nvml(const char *uuid)
{
    nvmlDevice_t device;
    unsigned int index;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.asking);
    bool found = nvml_started() && nvml()->nvmlDeviceGetHandleByUUID(uuid, &device) == NVML_SUCCESS &&
                 nvml()->nvmlDeviceGetIndex(device, &index) == NVML_SUCCESS;
    pthread_mutex_unlock(&state.asking);
    pthread_setcancelstate(cancelling, NULL);
    return found ? (int)index : -1;
}

static void uuid_print(char text[NVML_DEVICE_UUID_V2_BUFFER_SIZE], const CUuuid *uuid)
{
    const unsigned char *b = uuid->bytes;
    snprintf(text, NVML_DEVICE_UUID_V2_BUFFER_SIZE,
             "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4],
             b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

CUresult account_of_cuda(CUdevice device, unsigned int *account)
{
    const int remembered = (int)(sizeof state.account_of / sizeof state.account_of[0]);
    int8_t known = device >= 0 && device < remembered ? atomic_load(&state.account_of[device]) : 0;
    if (known > 0) {
        *account = (unsigned int)known - 1;
        return CUDA_SUCCESS;
    }

    CUuuid uuid;
    CUresult result = cuda()->cuDeviceGetUuid_v2(&uuid, device);
    if (result == CUDA_ERROR_NOT_SUPPORTED)
        result = cuda()->cuDeviceGetUuid(&uuid, device);
    if (result != CUDA_SUCCESS)
        return result;
    char text[NVML_DEVICE_UUID_V2_BUFFER_SIZE];
    uuid_print(text, &uuid);
    int position = position_allocated(text);
    if (position < 0) {
        position = position_in_nvml(text);
        if (position < 0)
            position = device;
        region_name((unsigned int)position, text);
    }
    if (device >= 0 && device < remembered && position < 127)
        atomic_store(&state.account_of[device], (int8_t)(position + 1));
    *account = (unsigned int)position;
    return CUDA_SUCCESS;
}

nvmlReturn_t account_of_nvml(nvmlDevice_t device, unsigned int *account)
{
    char uuid[NVML_DEVICE_UUID_V2_BUFFER_SIZE];
    nvmlReturn_t result = nvml()->nvmlDeviceGetUUID(device, uuid, sizeof uuid);
    if (result != NVML_SUCCESS)
        return result;
    int position = position_allocated(uuid);
    if (position < 0 && strncmp(uuid, "MIG-", 4) == 0)
        return NVML_ERROR_NOT_FOUND; /* an instance not given to us by name has an index of its own kind */
    if (position < 0)
        return nvml()->nvmlDeviceGetIndex(device, account);
    *account = (unsigned int)position;
    return NVML_SUCCESS;
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    CUresult result = cuda()->cuDeviceTotalMem_v2(bytes, device);
    unsigned int account;
    if (result == CUDA_SUCCESS && bytes && account_of_cuda(device, &account) == CUDA_SUCCESS)
        *bytes = account_size(account, *bytes);
    return result;
}

EXPORT CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice device)
{
    CUresult result = cuda()->cuDeviceTotalMem(bytes, device);
    unsigned int account;
    if (result == CUDA_SUCCESS && bytes && account_of_cuda(device, &account) == CUDA_SUCCESS)
        *bytes = size_v1(account_size(account, *bytes));
    return result;
}
