#define _GNU_SOURCE
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "identity.h"
#include "state.h"

/* A lock on one byte per slot, held by the open file: it ends with the process, whatever its pid namespace. */
static bool slot_lock(const struct region *region, unsigned int index, int command, short *kind)
{
    struct flock lock = {.l_type = *kind, .l_whence = SEEK_SET, .l_len = 1};
    lock.l_start = EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots) + (off_t)(index * sizeof(struct slot));
    if (region->file < 0 || fcntl(region->file, command, &lock) != 0)
        return false;
    *kind = lock.l_type;
    return true;
}

/* False when somebody else has the lock; true also where there are no such locks. */
static bool slot_hold(const struct region *region, unsigned int index, short kind)
{
    return slot_lock(region, index, F_OFD_SETLK, &kind) || region->file < 0 || (errno != EAGAIN && errno != EACCES);
}

/* Can its owner be judged by its pid? Otherwise only the lock says whether it lives. */
static bool slot_is_near(const struct region *region, unsigned int index)
{
    uint32_t pid_namespace = atomic_load(&region->extension->slots[index].pid_namespace);
    return pid_namespace != 0 && pid_namespace == region->pid_namespace;
}

static bool slot_was_ours(const struct region *region, uint64_t owner)
{
    return (owner & ~IDENTITY_RECLAIMING) == region->identity;
}

static bool slot_is_dead(const struct region *region, unsigned int index, uint64_t owner)
{
    if (slot_was_ours(region, owner))
        return true; /* we are it, but this is not our slot: it was, or we were clearing it, before an exec */
    short kind = F_WRLCK;
    if (!slot_is_near(region, index) && slot_lock(region, index, F_OFD_GETLK, &kind))
        return kind == F_UNLCK;
    return !identity_lives(owner);
}

/* Takes the slot over under our own name first: should we be killed here, the next one finds a dead owner again. The
 * slot's lock tells processes of other pid namespaces that we are alive and at it. */
static bool slot_reclaim(struct region *region, unsigned int index, uint64_t dead)
{
    struct slot *slot = &region->extension->slots[index];
    bool judged_by_lock = !slot_is_near(region, index) && !slot_was_ours(region, dead);
    if (!slot_hold(region, index, F_WRLCK) && judged_by_lock)
        return false; /* back after an exec, under the name it had before */
    if (!atomic_compare_exchange_strong(&slot->owner, &dead, region->identity | IDENTITY_RECLAIMING)) {
        slot_hold(region, index, F_UNLCK);
        return false;
    }
    atomic_store(&slot->pid_namespace, region->pid_namespace);

    struct v1_process *mirror = &region->v1->processes[index];
    atomic_store(&mirror->status, 0);
    atomic_store(&mirror->pid, 0);
    atomic_store(&mirror->host_pid, 0);
    bool freed = false;
    for (int device = 0; device < DEVICES_MAX; device++) {
        freed |= atomic_load(&slot->device[device].used_bytes) != 0;
        freed |= atomic_load(&slot->device[device].pending_bytes) != 0;
        atomic_store(&mirror->used[device].context_bytes, 0);
        atomic_store(&mirror->used[device].data_bytes, 0);
        atomic_store(&mirror->used[device].total_bytes, 0);
        atomic_store(&slot->device[device].unseen_bytes, 0);
        atomic_store(&slot->device[device].peak_bytes, 0);
        atomic_store(&slot->device[device].peak_before_bytes, 0);
        atomic_store(&slot->device[device].trough_bytes, 0);
        atomic_store(&slot->device[device].pending_bytes, 0);
        atomic_store(&slot->device[device].used_bytes, 0);
    }
    atomic_store(&slot->pid_namespace, 0);
    uint64_t ours =
        region->identity | IDENTITY_RECLAIMING; /* unless one that saw neither lock nor namespace took over */
    atomic_compare_exchange_strong(&slot->owner, &ours, 0);
    slot_hold(region, index, F_UNLCK);
    return freed;
}

bool slots_reclaim(struct region *region)
{
    bool freed = false;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.reclaiming);
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        uint64_t owner = atomic_load(&region->extension->slots[i].owner);
        if (owner == 0 || i == region->index)
            continue;
        if (slot_is_dead(region, i, owner))
            freed |= slot_reclaim(region, i, owner);
    }
    pthread_mutex_unlock(&state.reclaiming);
    pthread_setcancelstate(cancelling, NULL);
    return freed;
}

bool slot_claim(struct region *region)
{
    for (unsigned int i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = &region->extension->slots[i];
        if (atomic_load(&slot->owner) != 0)
            continue;
        /* First, so that another namespace never sees an owner without a lock. */
        if (!slot_hold(region, i, F_WRLCK))
            continue; /* somebody is about to take it, or to clear it */
        uint32_t high = atomic_load(&region->extension->slots_high);
        while (high < i + 1 && !atomic_compare_exchange_weak(&region->extension->slots_high, &high, i + 1))
            ;
        uint64_t nobody = 0;
        if (!atomic_compare_exchange_strong(&slot->owner, &nobody, region->identity)) {
            slot_hold(region, i, F_UNLCK);
            continue;
        }
        atomic_store(&slot->pid_namespace, region->pid_namespace);
        region->index = i;

        struct v1_process *mirror = &region->v1->processes[i];
        atomic_store(&mirror->pid, (int32_t)identity_pid(region->identity));
        atomic_store(&mirror->status, V1_STATUS_RUNNING);
        int32_t count = atomic_load(&region->v1->process_count);
        while (count < (int32_t)(i + 1) &&
               !atomic_compare_exchange_weak(&region->v1->process_count, &count, (int32_t)(i + 1)))
            ;
        return true;
    }
    return false;
}

bool slot_is_alone(const struct region *region)
{
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++)
        if (i != region->index && atomic_load(&region->extension->slots[i].owner) != 0)
            return false;
    return true;
}
