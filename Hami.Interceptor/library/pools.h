/* What stream-ordered pools keep of their cards. A pool is charged with all it has reserved, in use or not. What all
 * graphs of a device have reserved is handled like one pool more. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda_abi.h"

/* One the program has used; lives as long as the process, so that it can be found without a lock. */
struct pool {
    struct pool *next;
    _Atomic(CUmemoryPool) handle; /* NULL: destroyed */
    unsigned int account;
    bool on_card;   /* else its memory is the host's and none of our business */
    bool of_graphs; /* of the device; the handle says nothing then */
    CUdevice device;
    bool weighed; /* the driver says how much it has reserved; drivers before CUDA 11.3 do not */

    pthread_mutex_t lock;       /* for the rest */
    uint64_t charged_bytes;     /* what it had reserved when we last looked; on the account */
    uint64_t promised_bytes;    /* on the account too, for calls that are at the driver now */
    uint64_t outstanding_bytes; /* what these calls reserved altogether */
    uint64_t beyond_bytes;      /* of what is charged, what the limit did not allow and nobody has undone yet */
    uint64_t claimed_bytes;     /* what it has unused and these calls count on */
    uint64_t pointers;          /* how many of its allocations live */
};

/* NULL when there is no memory left to remember it. */
struct pool *pool_of(CUmemoryPool handle);

/* What graphs of the device have reserved. */
struct pool *pool_of_graphs(CUdevice device);

/* The pool the device's next allocation will come from, as far as we know; NULL when we do not. */
struct pool *pool_expected(CUdevice device);
void pool_expect(CUdevice device, struct pool *pool);

/* What a call at the driver may have of a pool. */
struct promise {
    uint64_t growth_bytes; /* reserved on the account */
    uint64_t claim_bytes;  /* of what the pool has already */
};

/* Reserves what the pool may grow by for so many bytes; nothing where the limit allows no growth but the pool has them
 * unused. Refuses like account_reserve. */
bool pool_promise(struct pool *pool, uint64_t bytes, struct promise *promise);

/* The same, but first of what it has unused; `own_bytes` more of it are as good as unused. */
bool pool_promise_frugally(struct pool *pool, uint64_t bytes, uint64_t own_bytes, struct promise *promise);

/* After the driver's answer: the promise becomes what the pool has grown by. False: it grew beyond the limit. It is
 * charged all the same until somebody makes it give back. */
bool pool_keep(struct pool *pool, const struct promise *promise, bool one_more_pointer);

/* One of its pointers is freed. */
void pool_drop(struct pool *pool);

/* What it has given back is no longer charged. True when there was some. */
bool pool_settle(struct pool *pool);

/* It gives back what it need not hold. True when something came back. */
bool pool_trim(struct pool *pool);

/* What pools have given back of their own accord; with `trimming` they are made to. True when something came back. */
bool pools_settle(unsigned int account, bool trimming);
void pools_settle_all(void);

/* In a forked child: the pools were the parent's. */
void pools_forget(void);
