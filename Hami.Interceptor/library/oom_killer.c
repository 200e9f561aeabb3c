#define _GNU_SOURCE
#include "oom_killer.h"

#include <signal.h>
#include <sys/types.h>

#include "identity.h"
#include "state.h"
#include "warning.h"

/* Half a second at ten looks a second: what was refused meanwhile, or is just being freed, has had its time. */
enum { LOOKS_OVER = 5 };

struct container {
    uint64_t held_bytes, unseen_bytes;
    unsigned int largest;
    uint64_t largest_bytes;
};

/* The container's first process is spared by the kernel from signals from within. */
static struct container look(const struct region *region, unsigned int account)
{
    struct container seen = {.largest = SLOTS_MAX};
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        const struct slot *slot = &region->extension->slots[i];
        uint64_t owner = atomic_load(&slot->owner), unseen_bytes = atomic_load(&slot->device[account].unseen_bytes);
        uint64_t held_bytes = atomic_load(&slot->device[account].used_bytes) + unseen_bytes;
        if (owner == 0 || owner & IDENTITY_RECLAIMING)
            continue;
        seen.held_bytes += held_bytes;
        seen.unseen_bytes += unseen_bytes;
        if (held_bytes > seen.largest_bytes && identity_pid(owner) > 1 &&
            atomic_load(&slot->pid_namespace) == region->pid_namespace) {
            seen.largest = i;
            seen.largest_bytes = held_bytes;
        }
    }
    return seen;
}

static void end_largest(const struct region *region, unsigned int account, const struct container *seen)
{
    if (seen->largest == SLOTS_MAX) {
        warn_once(WARNING_OOM_KILLER,
                  "hami: this container holds %llu bytes of device %u, more than its limit, but no "
                  "process that can be ended from within.",
                  (unsigned long long)seen->held_bytes, account);
        return;
    }
    uint64_t owner = atomic_load(&region->extension->slots[seen->largest].owner);
    if (!identity_lives(owner))
        return;
    tell(
        "hami: this container holds %llu bytes of device %u, more than its limit of %llu; process %u, which holds most "
        "(%llu bytes), is ended (ACTIVE_OOM_KILLER).",
        (unsigned long long)seen->held_bytes, account, (unsigned long long)state.settings.memory_bytes[account],
        identity_pid(owner), (unsigned long long)seen->largest_bytes);
    kill((pid_t)identity_pid(owner), SIGKILL);
}

void oom_killer_look(struct region *region)
{
    if (!state.settings.oom_killer || state.settings.stand_back || region->pid_namespace == 0)
        return;
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        if (state.settings.memory_bytes[account] == LIMIT_NONE)
            continue;
        struct container seen = look(region, account);
        if (seen.unseen_bytes == 0 || seen.held_bytes <= state.settings.memory_bytes[account])
            state.looks_over[account] = 0;
        else if (++state.looks_over[account] >= LOOKS_OVER) {
            state.looks_over[account] = 0;
            end_largest(region, account, &seen);
        }
    }
}
