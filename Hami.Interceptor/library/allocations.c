#define _GNU_SOURCE
#include "allocations.h"

#include <sys/mman.h>

static uint64_t hash(uint64_t pointer)
{
    pointer ^= pointer >> 33;
    pointer *= UINT64_C(0xff51afd7ed558ccd);
    return pointer ^ (pointer >> 33);
}

static struct allocation_shard *shard_of(struct allocations *all, uint64_t pointer)
{
    return &all->shard[hash(pointer) % ALLOCATION_SHARDS];
}

static size_t home(const struct allocation_shard *shard, uint64_t pointer)
{
    return (hash(pointer) / ALLOCATION_SHARDS) & (shard->capacity - 1);
}

/* The place of the pointer, or the empty place where it belongs. */
static struct allocation *find(const struct allocation_shard *shard, uint64_t pointer)
{
    size_t at = home(shard, pointer);
    while (shard->places[at].pointer != 0 && shard->places[at].pointer != pointer)
        at = (at + 1) & (shard->capacity - 1);
    return &shard->places[at];
}

static bool grow(struct allocation_shard *shard)
{
    struct allocation_shard larger = {.capacity = shard->capacity ? shard->capacity * 2 : 128};
    size_t bytes = larger.capacity * sizeof(struct allocation);
    larger.places = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (larger.places == MAP_FAILED)
        return false;
    for (size_t i = 0; i < shard->capacity; i++)
        if (shard->places[i].pointer != 0)
            *find(&larger, shard->places[i].pointer) = shard->places[i];
    if (shard->places)
        munmap(shard->places, shard->capacity * sizeof(struct allocation));
    shard->places = larger.places;
    shard->capacity = larger.capacity;
    return true;
}

bool allocations_put(struct allocations *all, const struct allocation *entry, struct allocation *former)
{
    struct allocation_shard *shard = shard_of(all, entry->pointer);
    bool known = false;
    lock_take(&shard->lock);
    /* Without memory to remember it the charge stays for good: too strict is better than too lax. */
    if (shard->count * 2 < shard->capacity || grow(shard) || shard->count + 1 < shard->capacity) {
        struct allocation *place = find(shard, entry->pointer);
        known = place->pointer != 0;
        if (known)
            *former = *place;
        else
            shard->count++;
        *place = *entry;
    }
    lock_drop(&shard->lock);
    return known;
}

/* Linear probing without tombstones: what follows moves up when it may. */
static void close_gap(struct allocation_shard *shard, size_t gap)
{
    size_t mask = shard->capacity - 1;
    for (size_t at = (gap + 1) & mask; shard->places[at].pointer != 0; at = (at + 1) & mask) {
        size_t distance_home = (at - home(shard, shard->places[at].pointer)) & mask;
        if (distance_home >= ((at - gap) & mask)) {
            shard->places[gap] = shard->places[at];
            gap = at;
        }
    }
    shard->places[gap].pointer = 0;
}

bool allocations_find(struct allocations *all, uint64_t pointer, struct allocation *found)
{
    struct allocation_shard *shard = shard_of(all, pointer);
    bool known = false;
    lock_take(&shard->lock);
    if (pointer != 0 && shard->capacity != 0) {
        *found = *find(shard, pointer);
        known = found->pointer == pointer;
    }
    lock_drop(&shard->lock);
    return known;
}

bool allocations_take(struct allocations *all, uint64_t pointer, struct allocation *taken)
{
    struct allocation_shard *shard = shard_of(all, pointer);
    bool found = false;
    lock_take(&shard->lock);
    if (pointer != 0 && shard->capacity != 0) {
        struct allocation *place = find(shard, pointer);
        found = place->pointer == pointer;
        if (found) {
            *taken = *place;
            close_gap(shard, (size_t)(place - shard->places));
            shard->count--;
        }
    }
    lock_drop(&shard->lock);
    return found;
}

void allocations_take_owned(struct allocations *all, uint64_t owner, uint64_t serial,
                            void (*each)(const struct allocation *taken))
{
    for (int i = 0; i < ALLOCATION_SHARDS; i++) {
        struct allocation_shard *shard = &all->shard[i];
        lock_take(&shard->lock);
        for (size_t at = 0; at < shard->capacity;) {
            struct allocation *place = &shard->places[at];
            if (place->pointer == 0 || place->owner != owner || place->serial > serial) {
                at++;
                continue;
            }
            each(place);
            close_gap(shard, at); /* another may have moved here: look again */
            shard->count--;
        }
        lock_drop(&shard->lock);
    }
}

bool allocations_around(struct allocations *all, uint64_t address, struct allocation *found)
{
    bool known = false;
    for (int i = 0; i < ALLOCATION_SHARDS && !known; i++) {
        struct allocation_shard *shard = &all->shard[i];
        lock_take(&shard->lock);
        for (size_t at = 0; at < shard->capacity && !known; at++) {
            const struct allocation *place = &shard->places[at];
            known = place->pointer != 0 && address >= place->pointer && address - place->pointer < place->bytes;
            if (known)
                *found = *place;
        }
        lock_drop(&shard->lock);
    }
    return known;
}

void allocations_forget(struct allocations *all)
{
    for (int i = 0; i < ALLOCATION_SHARDS; i++) {
        struct allocation_shard *shard = &all->shard[i];
        if (shard->places)
            munmap(shard->places, shard->capacity * sizeof(struct allocation));
        *shard = (struct allocation_shard){.capacity = 0};
    }
}
