/* A lock for a few instructions, with no call and one atomic operation; zeroes are an open one. Nothing is asked of
 * anybody while it is held. */
#pragma once

#include <sched.h>
#include <stdatomic.h>

struct lock {
    atomic_int taken;
};

static inline void lock_take(struct lock *lock)
{
    for (int turn = 0; atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire); turn++)
        if (turn >= 100)
            sched_yield(); /* whoever has it may have been put aside */
}

static inline void lock_drop(struct lock *lock)
{
    atomic_store_explicit(&lock->taken, 0, memory_order_release);
}
