#define _GNU_SOURCE
#include "backstop.h"

#include <string.h>
#include <unistd.h>

#include "device.h"
#include "driver.h"
#include "gate.h"
#include "host_pid.h"
#include "watcher.h"

enum { LISTED_MAX = 4096 };

/* Held: state.asking. */
static struct {
    nvmlProcessInfo_t place[LISTED_MAX];
    unsigned int count;
} listed;

typedef nvmlReturn_t list_function(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos);

static bool list_more(list_function *list, nvmlDevice_t device)
{
    unsigned int room = LISTED_MAX - listed.count;
    nvmlReturn_t result = room > 0 ? list(device, &room, listed.place + listed.count) : NVML_ERROR_INSUFFICIENT_SIZE;
    if (result == NVML_SUCCESS)
        listed.count += room;
    return result == NVML_SUCCESS;
}

/* Who holds memory of the card, kernels and graphics alike. False when the driver does not say. */
static bool list_holders(const char *uuid)
{
    nvmlDevice_t device;
    listed.count = 0;
    if (atomic_load(&state.ending) || !nvml_started() ||
        nvml()->nvmlDeviceGetHandleByUUID(uuid, &device) != NVML_SUCCESS)
        return false;
    if (!list_more(nvml()->nvmlDeviceGetComputeRunningProcesses_v3, device) &&
        !list_more(nvml()->nvmlDeviceGetComputeRunningProcesses_v2, device))
        return false;
    list_more(nvml()->nvmlDeviceGetGraphicsRunningProcesses_v3, device);
    return true;
}

/* One that does both kinds of work is in both lists, with the same bytes. False when it is in none, or without them. */
static bool held_by(uint32_t pid, uint64_t *bytes)
{
    bool found = false;
    *bytes = 0;
    for (unsigned int i = 0; i < listed.count; i++)
        if (listed.place[i].pid == pid && listed.place[i].usedGpuMemory != NVML_VALUE_NOT_AVAILABLE) {
            found = true;
            if (listed.place[i].usedGpuMemory > *bytes)
                *bytes = listed.place[i].usedGpuMemory;
        }
    return found;
}

/* The driver was asked a moment ago, and the process goes on meanwhile: only what it never held at once since the look
 * before is certainly beyond what we have counted. */
static void unseen_set(struct region *region, unsigned int index, unsigned int account)
{
    struct slot *slot = &region->extension->slots[index];
    uint32_t pid = host_pid_of(region, index);
    uint64_t held_bytes;
    if (pid == 0)
        return;
    bool known = held_by(pid, &held_bytes);
    uint64_t used_bytes = atomic_load(&slot->device[account].used_bytes);
    uint64_t peak_bytes = atomic_exchange(&slot->device[account].peak_bytes, used_bytes);
    if (peak_bytes < used_bytes)
        peak_bytes = used_bytes;
    uint64_t unseen_bytes = known && held_bytes > peak_bytes ? held_bytes - peak_bytes : 0;
    if (atomic_load_explicit(&slot->device[account].unseen_bytes, memory_order_relaxed) == unseen_bytes)
        return;
    atomic_store(&slot->device[account].unseen_bytes, unseen_bytes);
    struct v1_used *shown = &region->v1->processes[index].used[account];
    atomic_store_explicit(&shown->context_bytes, unseen_bytes, memory_order_relaxed);
    atomic_store_explicit(&shown->total_bytes, used_bytes + unseen_bytes, memory_order_relaxed);
}

void backstop_look_at(struct region *region, unsigned int account)
{
    char uuid[sizeof region->v1->uuids[0] + 1] = {0};
    memcpy(uuid, region->v1->uuids[account], sizeof region->v1->uuids[0]);
    if (!*uuid)
        return;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.asking);
    if (list_holders(uuid)) {
        unsigned int high = atomic_load(&region->extension->slots_high);
        for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++)
            if (atomic_load(&region->extension->slots[i].owner) != 0)
                unseen_set(region, i, account);
    }
    pthread_mutex_unlock(&state.asking);
    pthread_setcancelstate(cancelling, NULL);
}

void backstop_look(struct region *region)
{
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        if (state.settings.memory_bytes[account] != LIMIT_NONE)
            backstop_look_at(region, account);
}

/* ---- contexts ---- */

static _Thread_local bool was_absent;

static bool card_of(CUdevice device, unsigned int *account)
{
    return account_of_cuda(device, account) == CUDA_SUCCESS && *account < DEVICES_MAX &&
           (state.settings.memory_bytes[*account] != LIMIT_NONE || cores_are_limited());
}

static bool lists_our_pid(struct region *region, unsigned int account)
{
    uint64_t bytes;
    pthread_mutex_lock(&state.asking);
    bool listed_now = list_holders(region->v1->uuids[account]) && held_by((uint32_t)getpid(), &bytes);
    pthread_mutex_unlock(&state.asking);
    return listed_now;
}

void context_opening(CUdevice device)
{
    struct region *region = region_get();
    unsigned int account;
    was_absent = region && card_of(device, &account) && host_pid_of(region, region->index) == 0 &&
                 !lists_our_pid(region, account);
}

void context_opened(CUdevice device)
{
    struct region *region = region_get();
    unsigned int account;
    if (!region || !card_of(device, &account))
        return;
    if (was_absent && lists_our_pid(region, account))
        host_pid_is_own(region);
    was_absent = false;
    if (host_pid_of(region, region->index) != 0)
        backstop_look_at(region, account);
    watcher_ensure();
}
