/* Chapter "Multi Instance GPU Management" of NVML. */
#define _GNU_SOURCE
#include "nvml.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Handles say which instance is meant; what it is now stands in the file. They are never given back. */
struct nvmlGpuInstance_st {
    nvmlDevice_t device;
    unsigned int id;
    struct nvmlGpuInstance_st *next;
};

struct nvmlComputeInstance_st {
    nvmlGpuInstance_t in;
    unsigned int id;
    struct nvmlComputeInstance_st *next;
};

static struct {
    pthread_mutex_t lock;
    struct nvmlGpuInstance_st *gpu;
    struct nvmlComputeInstance_st *compute;
} handles = {.lock = PTHREAD_MUTEX_INITIALIZER};

static nvmlGpuInstance_t gpu_handle(nvmlDevice_t device, unsigned int id)
{
    pthread_mutex_lock(&handles.lock);
    nvmlGpuInstance_t handle = handles.gpu;
    while (handle && !(handle->device == device && handle->id == id))
        handle = handle->next;
    if (!handle && (handle = calloc(1, sizeof *handle))) {
        *handle = (struct nvmlGpuInstance_st){device, id, handles.gpu};
        handles.gpu = handle;
    }
    pthread_mutex_unlock(&handles.lock);
    return handle;
}

static nvmlComputeInstance_t compute_handle(nvmlGpuInstance_t in, unsigned int id)
{
    pthread_mutex_lock(&handles.lock);
    nvmlComputeInstance_t handle = handles.compute;
    while (handle && !(handle->in == in && handle->id == id))
        handle = handle->next;
    if (!handle && (handle = calloc(1, sizeof *handle))) {
        *handle = (struct nvmlComputeInstance_st){in, id, handles.compute};
        handles.compute = handle;
    }
    pthread_mutex_unlock(&handles.lock);
    return handle;
}

/* ---- looking ---- */

void mig_look(struct mig *mig)
{
    int count;
    const struct card *all = node_all(&count);
    mig_read(mig, all, count);
}

static int mig_take(struct mig *mig)
{
    int count;
    const struct card *all = node_all(&count);
    return mig_begin(mig, all, count);
}

const struct compute_instance *mig_device(const struct mig *mig, nvmlDevice_t device)
{
    return mig_compute((struct mig *)mig, device->card.number, device->gpu_instance, device->compute_instance);
}

static bool book_is_busy(unsigned int book)
{
    struct holder holder;
    struct card card = {.number = book, .is_instance = true};
    return node_holders(&card, &holder, 1) > 0;
}

bool instance_is_busy(const struct mig *mig, const struct gpu_instance *gpu)
{
    (void)mig;
    return book_is_busy(gpu->book);
}

/* ---- mode ---- */

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *is_on, unsigned int *will_be_on)
{
    ENTER_CARD(device && is_on && will_be_on);
    if (!device->card.has_mig)
        return NVML_ERROR_NOT_SUPPORTED;
    struct mig mig;
    mig_look(&mig);
    *is_on = mig.is_on[device->card.number];
    *will_be_on = mig.will_be_on[device->card.number];
    return NVML_SUCCESS;
}

/* At once where nobody is on the card, else after its next reset. */
EXPORT nvmlReturn_t nvmlDeviceSetMigMode(nvmlDevice_t device, unsigned int mode, nvmlReturn_t *activation)
{
    ENTER_CARD(device && activation && mode <= 1);
    if (!device->card.has_mig)
        return NVML_ERROR_NOT_SUPPORTED;
    struct mig mig;
    int lock = mig_take(&mig);
    const unsigned int number = device->card.number;
    bool in_use = node_used(&device->card) > 0;
    for (int i = 0; i < mig.gpu_count; i++)
        in_use |= mig.gpu[i].card == number;
    mig.will_be_on[number] = mode == 1;
    if (!in_use)
        mig.is_on[number] = mode == 1;
    *activation = mig.is_on[number] == (mode == 1) ? NVML_SUCCESS : NVML_ERROR_IN_USE;
    return mig_end(&mig, lock, true) ? NVML_SUCCESS : NVML_ERROR_UNKNOWN;
}

/* ---- devices ---- */

EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    ENTER_CARD(device && count);
    struct mig mig;
    mig_look(&mig);
    *count = mig.is_on[device->card.number] ? mig_most(&device->card) : 0;
    return NVML_SUCCESS;
}

/* In a container that was given some of them, those are counted alone. */
EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *instance)
{
    ENTER_CARD(device && instance && index < 8);
    struct mig mig;
    unsigned int seen = 0;
    mig_look(&mig);
    for (unsigned int place = 0; place < 8; place++)
        for (int i = 0; i < mig.compute_count; i++) {
            const struct compute_instance *found = &mig.compute[i];
            if (found->card != device->card.number || found->index != place || !cards_shows(found->uuid))
                continue;
            if ((cards_shows_all() ? place : seen) == index) {
                *instance = device_of_instance(device, found->gpu_instance, found->id);
                return *instance ? NVML_SUCCESS : NVML_ERROR_MEMORY;
            }
            seen++;
        }
    return NVML_ERROR_NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t instance, nvmlDevice_t *device)
{
    ENTER(instance && device && instance->parent);
    *device = instance->parent;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is_instance)
{
    ENTER(device && is_instance);
    *is_instance = device->parent != NULL;
    return NVML_SUCCESS;
}

/* What the calls about a MIG device begin with: it must still be there. */
#define ENTER_INSTANCE(condition)                                                                                      \
    ENTER(condition);                                                                                                  \
    if (!device->parent)                                                                                               \
        return NVML_ERROR_NOT_SUPPORTED;                                                                               \
    struct mig mig;                                                                                                    \
    mig_look(&mig);                                                                                                    \
    const struct compute_instance *instance = mig_device(&mig, device);                                                \
    if (!instance)                                                                                                     \
        return NVML_ERROR_INVALID_ARGUMENT;

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ENTER_INSTANCE(device && id);
    *id = instance->gpu_instance;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
    ENTER_INSTANCE(device && id);
    *id = instance->id;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes)
{
    ENTER_INSTANCE(device && attributes);
    struct compute_profile compute;
    const struct gpu_instance *gpu = mig_gpu(&mig, instance->card, instance->gpu_instance);
    const struct mig_profile *profile = gpu ? mig_profile_of_id(&device->card, gpu->profile_id) : NULL;
    if (!profile || !mig_compute_profile(&device->card, profile, instance->profile_id, &compute))
        return NVML_ERROR_UNKNOWN;
    *attributes = (nvmlDeviceAttributes_t){
        .multiprocessorCount = compute.multiprocessors,
        .sharedCopyEngineCount = profile->copy,
        .sharedDecoderCount = profile->decoders,
        .sharedEncoderCount = profile->encoders,
        .sharedJpegCount = profile->jpegs,
        .sharedOfaCount = profile->ofas,
        .gpuInstanceSliceCount = profile->slices,
        .computeInstanceSliceCount = compute.slices,
        .memorySizeMB = profile->memory_mib,
    };
    return NVML_SUCCESS;
}

/* ---- GPU instances ---- */

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceProfileInfo(nvmlDevice_t device, unsigned int number,
                                                        nvmlGpuInstanceProfileInfo_t *info)
{
    ENTER_CARD(device && info && number < NVML_GPU_INSTANCE_PROFILE_COUNT);
    const struct mig_profile *profile = device->card.has_mig ? mig_profile_numbered(&device->card, number) : NULL;
    if (!profile)
        return NVML_ERROR_NOT_SUPPORTED;
    *info = (nvmlGpuInstanceProfileInfo_t){
        .id = profile->id,
        .sliceCount = profile->slices,
        .instanceCount = profile->most,
        .multiprocessorCount = profile->multiprocessors,
        .copyEngineCount = profile->copy,
        .decoderCount = profile->decoders,
        .encoderCount = profile->encoders,
        .jpegCount = profile->jpegs,
        .ofaCount = profile->ofas,
        .memorySizeMB = profile->memory_mib,
    };
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstancePossiblePlacements_v2(nvmlDevice_t device, unsigned int profile_id,
                                                                  nvmlGpuInstancePlacement_t *placements,
                                                                  unsigned int *count)
{
    ENTER_CARD(device && count);
    const struct mig_profile *profile = device->card.has_mig ? mig_profile_of_id(&device->card, profile_id) : NULL;
    if (!profile)
        return NVML_ERROR_NOT_SUPPORTED;
    unsigned int room = *count, found = 0;
    while (profile->starts[found] >= 0)
        found++;
    *count = found;
    if (!placements)
        return NVML_SUCCESS;
    if (room < found)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < found; i++)
        placements[i] = (nvmlGpuInstancePlacement_t){(unsigned int)profile->starts[i], profile->size};
    return NVML_SUCCESS;
}

static bool is_possible(const struct mig_profile *profile, const nvmlGpuInstancePlacement_t *placement)
{
    for (const int *start = profile->starts; *start >= 0; start++)
        if ((unsigned int)*start == placement->start && profile->size == placement->size)
            return true;
    return false;
}

static nvmlReturn_t gpu_instance_create(nvmlDevice_t device, unsigned int profile_id,
                                        const nvmlGpuInstancePlacement_t *placement, nvmlGpuInstance_t *made)
{
    const struct mig_profile *profile = mig_profile_of_id(&device->card, profile_id);
    if (!profile || (placement && !is_possible(profile, placement)))
        return NVML_ERROR_INVALID_ARGUMENT;
    struct mig mig;
    struct gpu_instance *instance = NULL;
    int lock = mig_take(&mig);
    bool is_on = mig.is_on[device->card.number];
    for (const int *start = profile->starts; is_on && !instance && *start >= 0; start++)
        if (!placement || (unsigned int)*start == placement->start)
            instance = mig_add_gpu(&mig, &device->card, profile, (unsigned int)*start);
    if (instance)
        *made = gpu_handle(device, instance->id);
    bool written = mig_end(&mig, lock, instance != NULL);
    return !is_on      ? NVML_ERROR_NOT_SUPPORTED
           : !instance ? NVML_ERROR_INSUFFICIENT_RESOURCES
           : written   ? NVML_SUCCESS
                       : NVML_ERROR_UNKNOWN;
}

EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstanceWithPlacement(nvmlDevice_t device, unsigned int profile_id,
                                                             const nvmlGpuInstancePlacement_t *placement,
                                                             nvmlGpuInstance_t *instance)
{
    ENTER_CARD(device && placement && instance);
    return gpu_instance_create(device, profile_id, placement, instance);
}

EXPORT nvmlReturn_t nvmlDeviceCreateGpuInstance(nvmlDevice_t device, unsigned int profile_id,
                                                nvmlGpuInstance_t *instance)
{
    ENTER_CARD(device && instance);
    return gpu_instance_create(device, profile_id, NULL, instance);
}

/* There must be room for as many as the profile allows. */
EXPORT nvmlReturn_t nvmlDeviceGetGpuInstances(nvmlDevice_t device, unsigned int profile_id,
                                              nvmlGpuInstance_t *instances, unsigned int *count)
{
    ENTER_CARD(device && instances && count);
    const struct mig_profile *profile = device->card.has_mig ? mig_profile_of_id(&device->card, profile_id) : NULL;
    if (!profile)
        return device->card.has_mig ? NVML_ERROR_INVALID_ARGUMENT : NVML_ERROR_NOT_SUPPORTED;
    struct mig mig;
    mig_look(&mig);
    *count = 0;
    for (int i = 0; i < mig.gpu_count; i++)
        if (mig.gpu[i].card == device->card.number && mig.gpu[i].profile_id == profile_id)
            instances[(*count)++] = gpu_handle(device, mig.gpu[i].id);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceById(nvmlDevice_t device, unsigned int id, nvmlGpuInstance_t *instance)
{
    ENTER_CARD(device && instance);
    struct mig mig;
    mig_look(&mig);
    if (!device->card.has_mig)
        return NVML_ERROR_NOT_SUPPORTED;
    if (!mig_gpu(&mig, device->card.number, id))
        return NVML_ERROR_NOT_FOUND;
    *instance = gpu_handle(device, id);
    return NVML_SUCCESS;
}

/* What the calls about a GPU instance begin with: it must still be there. */
#define ENTER_GPU_INSTANCE(condition)                                                                                  \
    ENTER(condition);                                                                                                  \
    struct mig mig;                                                                                                    \
    mig_look(&mig);                                                                                                    \
    const struct card *card = &handle->device->card;                                                                   \
    const struct gpu_instance *gpu = mig_gpu(&mig, card->number, handle->id);                                          \
    if (!gpu)                                                                                                          \
        return NVML_ERROR_INVALID_ARGUMENT;

EXPORT nvmlReturn_t nvmlGpuInstanceGetInfo(nvmlGpuInstance_t handle, nvmlGpuInstanceInfo_t *info)
{
    ENTER_GPU_INSTANCE(handle && info);
    *info = (nvmlGpuInstanceInfo_t){handle->device, gpu->id, gpu->profile_id, {gpu->start, gpu->size}};
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpuInstanceDestroy(nvmlGpuInstance_t handle)
{
    ENTER(handle);
    struct mig mig;
    int lock = mig_take(&mig);
    const unsigned int card = handle->device->card.number;
    const struct gpu_instance *gpu = mig_gpu(&mig, card, handle->id);
    nvmlReturn_t result = gpu ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; gpu && i < mig.compute_count; i++)
        if (mig.compute[i].card == card && mig.compute[i].gpu_instance == gpu->id)
            result = NVML_ERROR_IN_USE;
    if (gpu && instance_is_busy(&mig, gpu))
        result = NVML_ERROR_IN_USE;
    if (result == NVML_SUCCESS)
        mig_remove_gpu(&mig, card, handle->id);
    return mig_end(&mig, lock, result == NVML_SUCCESS) ? result : NVML_ERROR_UNKNOWN;
}

/* ---- compute instances ---- */

EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceProfileInfo(nvmlGpuInstance_t handle, unsigned int number,
                                                                 unsigned int engines,
                                                                 nvmlComputeInstanceProfileInfo_t *info)
{
    ENTER_GPU_INSTANCE(handle && info && number < NVML_COMPUTE_INSTANCE_PROFILE_COUNT && engines == 0);
    struct compute_profile found;
    const struct mig_profile *profile = mig_profile_of_id(card, gpu->profile_id);
    if (!mig_compute_profile(card, profile, number, &found))
        return NVML_ERROR_NOT_SUPPORTED;
    *info = (nvmlComputeInstanceProfileInfo_t){
        .id = found.id,
        .sliceCount = found.slices,
        .instanceCount = found.most,
        .multiprocessorCount = found.multiprocessors,
        .sharedCopyEngineCount = profile->copy,
        .sharedDecoderCount = profile->decoders,
        .sharedEncoderCount = profile->encoders,
        .sharedJpegCount = profile->jpegs,
        .sharedOfaCount = profile->ofas,
    };
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpuInstanceCreateComputeInstance(nvmlGpuInstance_t handle, unsigned int profile_id,
                                                         nvmlComputeInstance_t *made)
{
    ENTER(handle && made);
    struct mig mig;
    struct compute_profile profile;
    struct compute_instance *instance = NULL;
    const struct card *card = &handle->device->card;
    int lock = mig_take(&mig);
    const struct gpu_instance *gpu = mig_gpu(&mig, card->number, handle->id);
    bool is_right = gpu && mig_compute_profile(card, mig_profile_of_id(card, gpu->profile_id), profile_id, &profile);
    if (is_right)
        instance = mig_add_compute(&mig, card, gpu, &profile);
    if (instance)
        *made = compute_handle(handle, instance->id);
    bool written = mig_end(&mig, lock, instance != NULL);
    return !is_right   ? NVML_ERROR_INVALID_ARGUMENT
           : !instance ? NVML_ERROR_INSUFFICIENT_RESOURCES
           : written   ? NVML_SUCCESS
                       : NVML_ERROR_UNKNOWN;
}

EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstances(nvmlGpuInstance_t handle, unsigned int profile_id,
                                                       nvmlComputeInstance_t *instances, unsigned int *count)
{
    ENTER_GPU_INSTANCE(handle && instances && count);
    *count = 0;
    for (int i = 0; i < mig.compute_count; i++)
        if (mig.compute[i].card == card->number && mig.compute[i].gpu_instance == gpu->id &&
            mig.compute[i].profile_id == profile_id)
            instances[(*count)++] = compute_handle(handle, mig.compute[i].id);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpuInstanceGetComputeInstanceById(nvmlGpuInstance_t handle, unsigned int id,
                                                          nvmlComputeInstance_t *instance)
{
    ENTER_GPU_INSTANCE(handle && instance);
    if (!mig_compute(&mig, card->number, gpu->id, id))
        return NVML_ERROR_NOT_FOUND;
    *instance = compute_handle(handle, id);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlComputeInstanceGetInfo_v2(nvmlComputeInstance_t handle, nvmlComputeInstanceInfo_t *info)
{
    ENTER(handle && info);
    struct mig mig;
    mig_look(&mig);
    const struct compute_instance *instance =
        mig_compute(&mig, handle->in->device->card.number, handle->in->id, handle->id);
    if (!instance)
        return NVML_ERROR_INVALID_ARGUMENT;
    *info = (nvmlComputeInstanceInfo_t){
        handle->in->device, handle->in, instance->id, instance->profile_id, {instance->start, instance->size}};
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlComputeInstanceDestroy(nvmlComputeInstance_t handle)
{
    ENTER(handle);
    struct mig mig;
    int lock = mig_take(&mig);
    const unsigned int card = handle->in->device->card.number;
    const struct gpu_instance *gpu = mig_gpu(&mig, card, handle->in->id);
    bool is_there = gpu && mig_compute(&mig, card, gpu->id, handle->id);
    nvmlReturn_t result = !is_there                     ? NVML_ERROR_INVALID_ARGUMENT
                          : instance_is_busy(&mig, gpu) ? NVML_ERROR_IN_USE
                                                        : NVML_SUCCESS;
    if (result == NVML_SUCCESS)
        mig_remove_compute(&mig, card, gpu->id, handle->id);
    return mig_end(&mig, lock, result == NVML_SUCCESS) ? result : NVML_ERROR_UNKNOWN;
}
