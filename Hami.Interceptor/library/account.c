#define _GNU_SOURCE
#include "account.h"

#include <sched.h>
#include <time.h>

#include "backstop.h"
#include "pools.h"
#include "settings.h"
#include "slots.h"
#include "state.h"
#include "watcher.h"

/* Reserve, then verify. A process writes what it wants into its own slot as pending, then adds up all slots. Of two
 * that want the last bytes at least one sees the other, so both never pass. Bytes move from pending to used and are
 * read in the opposite order, so a reader may count them twice but never misses them. Only the owner writes its
 * counters: one killed at any instruction leaves nothing half done, just a slot that others clear away.
 * All operations here are sequentially consistent; the proof needs that. */

/* 256 TiB: more than any card has or any process can address. A larger wish is refused before it is written down, so
 * that no sum of wishes ever wraps around. */
static const uint64_t wish_most_bytes = UINT64_C(1) << 48;

struct sum {
    uint64_t used_bytes; /* with what the driver counts beyond */
    uint64_t pending_bytes;
    uint64_t unseen_bytes;
};

static struct sum sum_slots(const struct region *region, unsigned int account)
{
    struct sum sum = {0, 0, 0};
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        struct slot *slot = &region->extension->slots[i];
        sum.pending_bytes += atomic_load(&slot->device[account].pending_bytes);
        sum.used_bytes += atomic_load(&slot->device[account].used_bytes);
        sum.unseen_bytes += atomic_load_explicit(&slot->device[account].unseen_bytes, memory_order_relaxed);
    }
    sum.used_bytes += sum.unseen_bytes;
    return sum;
}

static void use(struct region *region, unsigned int account, uint64_t bytes)
{
    struct v1_used *mirror = &region->v1->processes[region->index].used[account];
    struct slot *slot = &region->extension->slots[region->index];
    uint64_t used_bytes = atomic_fetch_add(&slot->device[account].used_bytes, bytes) + bytes;
    uint64_t peak_bytes = atomic_load_explicit(&slot->device[account].peak_bytes, memory_order_relaxed);
    while (peak_bytes < used_bytes &&
           !atomic_compare_exchange_weak(&slot->device[account].peak_bytes, &peak_bytes, used_bytes))
        ;
    atomic_fetch_add_explicit(&mirror->data_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&mirror->total_bytes, bytes, memory_order_relaxed);
}

/* Longer with every attempt; all attempts together last about 0.1 s. */
enum { ATTEMPTS = 128, ATTEMPTS_SPINNING = 32 };

static void wait_a_little(int attempt, unsigned int index)
{
    if (attempt < ATTEMPTS_SPINNING) {
        sched_yield();
        return;
    }
    long step_nanoseconds = 10000L * (attempt - ATTEMPTS_SPINNING + 1);
    struct timespec pause = {.tv_nsec = step_nanoseconds + 1000L * (long)(index % 64)};
    nanosleep(&pause, NULL);
}

static bool reserve_within(struct region *region, unsigned int account, uint64_t bytes)
{
    _Atomic uint64_t *pending = &region->extension->slots[region->index].device[account].pending_bytes;
    bool looked = false;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint64_t limit_bytes = account_limit(account);
        if (bytes > limit_bytes)
            return false;

        atomic_fetch_add(pending, bytes);
        struct sum sum = sum_slots(region, account);
        bool fits = sum.used_bytes <= limit_bytes && sum.pending_bytes <= limit_bytes - sum.used_bytes;
        if (fits)
            use(region, account, bytes);
        atomic_fetch_sub(pending, bytes);
        if (fits)
            return true;

        if (sum.used_bytes > limit_bytes - bytes) {
            if (sum.unseen_bytes > 0 && !looked)
                backstop_look_at(region, account); /* the last look may be too old to refuse somebody by it */
            else if (!slots_reclaim(region))
                return false; /* given out, to the living */
            looked = true;
        } else {
            if (attempt == ATTEMPTS_SPINNING)
                slots_reclaim(region);             /* killed while asking? */
            wait_a_little(attempt, region->index); /* others are asking this very moment */
        }
    }
    return false;
}

bool account_reserve_now(unsigned int account, uint64_t bytes)
{
    struct region *region = region_get();
    if (!region || bytes > wish_most_bytes)
        return false;
    if (account >= DEVICES_MAX) /* beyond what the region can count */
        return account_limit(account) == LIMIT_NONE;
    if (account_limit(account) != LIMIT_NONE) {
        watcher_ensure();
        return reserve_within(region, account, bytes);
    }
    use(region, account, bytes);
    return true;
}

bool account_reserve(unsigned int account, uint64_t bytes)
{
    return account_reserve_now(account, bytes) ||
           (pools_settle(account, false) && account_reserve_now(account, bytes)) ||
           (pools_settle(account, true) && account_reserve_now(account, bytes));
}

void account_force(unsigned int account, uint64_t bytes)
{
    struct region *region = region_get();
    if (region && account < DEVICES_MAX)
        use(region, account, bytes);
}

void account_return(unsigned int account, uint64_t bytes)
{
    struct region *region = region_get();
    if (!region || account >= DEVICES_MAX)
        return;
    struct v1_used *mirror = &region->v1->processes[region->index].used[account];
    atomic_fetch_sub_explicit(&mirror->total_bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&mirror->data_bytes, bytes, memory_order_relaxed);
    atomic_fetch_sub(&region->extension->slots[region->index].device[account].used_bytes, bytes);
}

uint64_t account_used(unsigned int account)
{
    struct region *region = region_get();
    if (!region || account >= DEVICES_MAX)
        return 0;
    slots_reclaim(region);
    return sum_slots(region, account).used_bytes;
}

uint64_t account_limit(unsigned int account)
{
    struct region *region = region_get();
    if (!region)
        return 0;
    if (account >= DEVICES_MAX)
        return account < 64 && state.settings.beyond_limited >> account & 1 ? 0
                                                                            : LIMIT_NONE; /* nothing is given there */
    uint64_t shared_bytes = ~atomic_load_explicit(&region->extension->limit_complement[account], memory_order_relaxed);
    uint64_t own_bytes = state.settings.memory_bytes[account];
    return shared_bytes < own_bytes ? shared_bytes : own_bytes;
}
