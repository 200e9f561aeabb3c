#define _GNU_SOURCE
#include "backstop.h"

#include <string.h>
#include <unistd.h>

#include "account.h"
#include "device.h"
#include "driver.h"
#include "extremes.h"
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
    /* The second first: drivers 535.43 to 535.86 write longer entries in the third. */
    if (!list_more(nvml()->nvmlDeviceGetComputeRunningProcesses_v2, device) &&
        !list_more(nvml()->nvmlDeviceGetComputeRunningProcesses_v3, device))
        return false;
    if (!list_more(nvml()->nvmlDeviceGetGraphicsRunningProcesses_v2, device))
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

static void unseen_set(struct region *region, unsigned int index, unsigned int account, uint64_t unseen_bytes)
{
    struct slot *slot = &region->extension->slots[index];
    atomic_store(&slot->device[account].unseen_bytes, unseen_bytes);
    struct v1_used *shown = &region->v1->processes[index].used[account];
    uint64_t used_bytes = atomic_load_explicit(&slot->device[account].used_bytes, memory_order_relaxed);
    atomic_store_explicit(&shown->context_bytes, unseen_bytes, memory_order_relaxed);
    atomic_store_explicit(&shown->total_bytes, used_bytes + unseen_bytes, memory_order_relaxed);
}

/* The driver was asked a moment ago, and the process has gone on since. What it counts beyond the most that was in use
 * in that time is certainly not ours. */
static void unseen_raise(struct region *region, unsigned int index, unsigned int account, uint64_t held_bytes)
{
    struct slot *slot = &region->extension->slots[index];
    uint64_t most_bytes = atomic_load(&slot->device[account].peak_bytes);
    uint64_t before_bytes = atomic_load(&slot->device[account].peak_before_bytes);
    if (most_bytes < before_bytes)
        most_bytes = before_bytes;
    if (held_bytes > most_bytes && held_bytes - most_bytes > atomic_load(&slot->device[account].unseen_bytes))
        unseen_set(region, index, account, held_bytes - most_bytes);
}

/* What is in use is written down before the driver gives it and after the driver took it back, so for a moment the
 * driver may count less. Only when for a second the driver never counted as much beyond the least that was in use
 * is it certain that some of the unseen is gone. */
enum { LOOKS_UNTIL_CERTAIN = 10 };

static struct {
    uint64_t most_bytes;
    unsigned int looks;
} fewer[SLOTS_MAX][DEVICES_MAX]; /* the watcher's alone */

static void unseen_lower(struct region *region, unsigned int index, unsigned int account, uint64_t held_bytes)
{
    struct slot *slot = &region->extension->slots[index];
    uint64_t used_bytes = atomic_load(&slot->device[account].used_bytes);
    uint64_t least_bytes = atomic_exchange(&slot->device[account].trough_bytes, used_bytes);
    lower_to(&slot->device[account].trough_bytes, atomic_load(&slot->device[account].used_bytes));
    if (least_bytes > used_bytes)
        least_bytes = used_bytes;
    uint64_t most_bytes = held_bytes > least_bytes ? held_bytes - least_bytes : 0;
    if (most_bytes >= atomic_load(&slot->device[account].unseen_bytes)) {
        fewer[index][account].looks = 0;
        return;
    }
    if (fewer[index][account].looks == 0 || fewer[index][account].most_bytes < most_bytes)
        fewer[index][account].most_bytes = most_bytes;
    if (++fewer[index][account].looks < LOOKS_UNTIL_CERTAIN)
        return;
    unseen_set(region, index, account, fewer[index][account].most_bytes);
    fewer[index][account].looks = 0;
}

/* Readers find the most of the last look's time in the one place or the other. */
static void peak_renew(struct slot *slot, unsigned int account)
{
    atomic_store(&slot->device[account].peak_before_bytes, atomic_load(&slot->device[account].peak_bytes));
    uint64_t used_bytes = atomic_load(&slot->device[account].used_bytes);
    raise_to(&slot->device[account].peak_before_bytes, atomic_exchange(&slot->device[account].peak_bytes, used_bytes));
    raise_to(&slot->device[account].peak_bytes, atomic_load(&slot->device[account].used_bytes));
}

/* The name of an account's card: the limits file's, else the one noted in the region. */
static void card_name(const struct region *region, unsigned int account, char name[sizeof region->v1->uuids[0] + 1])
{
    const char *known = state.settings.from_file ? state.settings.cards[account] : region->v1->uuids[account];
    memcpy(name, known, sizeof region->v1->uuids[0]);
    name[sizeof region->v1->uuids[0]] = '\0';
}

static void look(struct region *region, unsigned int account, bool watching)
{
    char uuid[sizeof region->v1->uuids[0] + 1];
    card_name(region, account, uuid);
    if (!*uuid)
        return;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.asking);
    bool answered = list_holders(uuid);
    unsigned int high = answered ? atomic_load(&region->extension->slots_high) : 0;
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        uint32_t pid = host_pid_of(region, i);
        uint64_t held_bytes;
        if (atomic_load(&region->extension->slots[i].owner) == 0 || pid == 0)
            continue;
        if (held_by(pid, &held_bytes))
            unseen_raise(region, i, account, held_bytes);
        if (watching) {
            unseen_lower(region, i, account, held_bytes);
            peak_renew(&region->extension->slots[i], account);
        }
    }
    pthread_mutex_unlock(&state.asking);
    pthread_setcancelstate(cancelling, NULL);
}

void backstop_look_at(struct region *region, unsigned int account)
{
    look(region, account, false);
}

void backstop_look(struct region *region)
{
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        if (state.settings.memory_bytes[account] != LIMIT_NONE)
            look(region, account, true);
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
    char uuid[sizeof region->v1->uuids[0] + 1];
    card_name(region, account, uuid);
    pthread_mutex_lock(&state.asking);
    bool listed_now = list_holders(uuid) && held_by((uint32_t)getpid(), &bytes);
    pthread_mutex_unlock(&state.asking);
    return listed_now;
}

bool context_opening(CUdevice device)
{
    struct region *region = region_get();
    unsigned int account;
    was_absent = false;
    if (account_of_cuda(device, &account) == CUDA_SUCCESS && account_limit(account) == 0)
        return false;
    if (!region || !card_of(device, &account))
        return true;
    host_pid_ask(region);
    was_absent = host_pid_of(region, region->index) == 0 && !lists_our_pid(region, account);
    return true;
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
