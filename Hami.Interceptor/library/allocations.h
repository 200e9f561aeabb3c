/* Which pointer holds how much of which account. Sharded open addressing: no malloc per allocation, O(1) free. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"

enum { ALLOCATION_SHARDS = 16 };

struct pool;

struct allocation {
    uint64_t pointer; /* 0 = empty place */
    uint64_t bytes;
    uint64_t owner;    /* what it belongs to; see struct state */
    uint64_t serial;   /* how many contexts had been ended when it was made */
    struct pool *pool; /* it is a part of; bytes are the pool's then */
    uint32_t account;
    uint32_t references;
};

struct allocation_shard {
    struct lock lock;
    struct allocation *places; /* power of two many, mapped */
    size_t capacity, count;
};

struct allocations {
    struct allocation_shard shard[ALLOCATION_SHARDS];
};

/* Remembers an allocation. True when the pointer was known already; `former` then has what it held: the driver
 * only gives an address again when it has freed it behind our back (a destroyed context). */
bool allocations_put(struct allocations *all, const struct allocation *entry, struct allocation *former);

/* A copy of the entry; false when the pointer is not ours. */
bool allocations_find(struct allocations *all, uint64_t pointer, struct allocation *found);

/* Forgets an allocation; false when the pointer is not ours. */
bool allocations_take(struct allocations *all, uint64_t pointer, struct allocation *taken);

/* Forgets every entry of an owner with at most this serial; `each` is told. */
void allocations_take_owned(struct allocations *all, uint64_t owner, uint64_t serial,
                            void (*each)(const struct allocation *taken));

/* The entry whose bytes include the address; a search through all. */
bool allocations_around(struct allocations *all, uint64_t address, struct allocation *found);

/* In a forked child: the pointers were the parent's. */
void allocations_forget(struct allocations *all);
