#define _GNU_SOURCE
#include "account.h"

#include <sched.h>
#include <time.h>

#include "backstop.h"
#include "extremes.h"
#include "pools.h"
#include "settings.h"
#include "slots.h"
#include "state.h"
#include "warning.h"
#include "watcher.h"

/* Reserve, then verify. A process writes what it wants into its own slot as pending, then adds up all slots. Of two
 * that want the last bytes at least one sees the other, so both never pass. Bytes move from pending to used and are
 * read in the opposite order, so a reader may count them twice but never misses them. Only the owner writes its
 * counters: one killed at any instruction leaves nothing half done, just a slot that others clear away. What it holds
 * itself a process knows from its own memory too, whatever others of the container write into its slot.
 * All operations here are sequentially consistent; the proof needs that. */

/* 256 TiB: more than any card has or any process can address. A larger wish is refused before it is written down, so
 * that no sum of wishes ever wraps around. */
static const uint64_t wish_most_bytes = UINT64_C(1) << 48;

struct sum {
    uint64_t used_bytes; /* with what the driver counts beyond */
    uint64_t pending_bytes;
    uint64_t unseen_bytes;
};

/* What is written in the region may be anything. No sum of these wraps around. */
static uint64_t plausible(uint64_t bytes)
{
    return bytes < wish_most_bytes ? bytes : wish_most_bytes;
}

/* With the wish of our own that is being weighed. */
static struct sum sum_slots(const struct region *region, unsigned int account, uint64_t wish_bytes)
{
    struct sum sum = {0, 0, 0};
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        struct slot *slot = &region->extension->slots[i];
        sum.pending_bytes += plausible(atomic_load(&slot->device[account].pending_bytes));
        if (i != region->index)
            sum.used_bytes += plausible(atomic_load(&slot->device[account].used_bytes));
        sum.unseen_bytes += plausible(atomic_load_explicit(&slot->device[account].unseen_bytes, memory_order_relaxed));
    }
    if (sum.pending_bytes < wish_bytes)
        sum.pending_bytes = wish_bytes; /* somebody wipes the region */
    sum.used_bytes += sum.unseen_bytes + atomic_load(&state.own_used_bytes[account]);
    return sum;
}

/* What HAMi's monitor reads. Stored, not added: of two threads the one that stored an older sum sees the newer and
 * stores again. */
static void mirror(const struct region *region, unsigned int account)
{
    struct v1_used *shown = &region->v1->processes[region->index].used[account];
    struct slot *slot = &region->extension->slots[region->index];
    uint64_t bytes;
    do {
        bytes = atomic_load_explicit(&slot->device[account].used_bytes, memory_order_relaxed);
        uint64_t context_bytes = atomic_load_explicit(&shown->context_bytes, memory_order_relaxed);
        atomic_store_explicit(&shown->data_bytes, bytes, memory_order_relaxed);
        atomic_store_explicit(&shown->total_bytes, bytes + context_bytes, memory_order_relaxed);
    } while (atomic_load_explicit(&slot->device[account].used_bytes, memory_order_relaxed) != bytes);
}

/* False when we alone would hold more than the limit: threads of ours passed together, each with its wish wiped out of
 * the region before the others could see it. */
static bool use(struct region *region, unsigned int account, uint64_t bytes, uint64_t limit_bytes)
{
    struct slot *slot = &region->extension->slots[region->index];
    if (atomic_fetch_add(&state.own_used_bytes[account], bytes) + bytes > limit_bytes) {
        atomic_fetch_sub(&state.own_used_bytes[account], bytes);
        return false;
    }
    uint64_t used_bytes = atomic_fetch_add(&slot->device[account].used_bytes, bytes) + bytes;
    raise_to(&slot->device[account].peak_bytes, used_bytes);
    mirror(region, account);
    return true;
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
    int cancelling; /* whoever waits here may hold a lock */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    nanosleep(&pause, NULL);
    pthread_setcancelstate(cancelling, NULL);
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
        struct sum sum = sum_slots(region, account, bytes);
        bool fits = sum.used_bytes <= limit_bytes && sum.pending_bytes <= limit_bytes - sum.used_bytes;
        fits = fits && use(region, account, bytes, limit_bytes);
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
        bool given = reserve_within(region, account, bytes);
        if (!given && state.settings.tells_refusals)
            tell("hami: %llu bytes of device %u are refused: %llu of %llu are in use.", (unsigned long long)bytes,
                 account, (unsigned long long)sum_slots(region, account, 0).used_bytes,
                 (unsigned long long)account_limit(account));
        return given;
    }
    return use(region, account, bytes, LIMIT_NONE);
}

bool account_reserve(unsigned int account, uint64_t bytes)
{
    if (account_reserve_now(account, bytes) || (pools_settle(account, false) && account_reserve_now(account, bytes)))
        return true;
    if (!atomic_load_explicit(&state.pools, memory_order_relaxed))
        return false;
    pools_settle(account, true);
    return account_reserve_now(account, bytes); /* also when it was another thread that saw something come back */
}

void account_force(unsigned int account, uint64_t bytes)
{
    struct region *region = region_get();
    if (region && account < DEVICES_MAX)
        use(region, account, bytes, LIMIT_NONE);
}

void account_return(unsigned int account, uint64_t bytes)
{
    struct region *region = region_get();
    if (!region || account >= DEVICES_MAX)
        return;
    struct slot *slot = &region->extension->slots[region->index];
    uint64_t used_bytes = atomic_fetch_sub(&slot->device[account].used_bytes, bytes) - bytes;
    lower_to(&slot->device[account].trough_bytes, used_bytes);
    atomic_fetch_sub(&state.own_used_bytes[account], bytes);
    mirror(region, account);
}

uint64_t account_used(unsigned int account)
{
    struct region *region = region_get();
    if (!region || account >= DEVICES_MAX)
        return 0;
    slots_reclaim(region);
    return sum_slots(region, account, 0).used_bytes;
}

uint64_t account_limit(unsigned int account)
{
    struct region *region = region_get();
    if (!region)
        return 0;
    if (account >= DEVICES_MAX)
        return account < 64 && state.settings.beyond_limited >> account & 1 ? 0
                                                                            : LIMIT_NONE; /* nothing is given there */
    if (state.settings.stand_back)
        return LIMIT_NONE;
    if (state.settings.from_file)
        return state.settings.memory_bytes[account];
    uint64_t shared_bytes = ~atomic_load_explicit(&region->extension->limit_complement[account], memory_order_relaxed);
    uint64_t own_bytes = state.settings.memory_bytes[account];
    return shared_bytes < own_bytes ? shared_bytes : own_bytes;
}

uint64_t account_size(unsigned int account, uint64_t physical_bytes)
{
    uint64_t limit_bytes = account_limit(account);
    if (limit_bytes == LIMIT_NONE || (limit_bytes > physical_bytes && !state.settings.oversubscribe))
        return physical_bytes;
    return limit_bytes;
}
