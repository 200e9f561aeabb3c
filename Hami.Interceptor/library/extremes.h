/* The most and the least a counter was, kept by whoever changes it. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

static inline void raise_to(_Atomic uint64_t *most, uint64_t value)
{
    uint64_t known = atomic_load_explicit(most, memory_order_relaxed);
    while (known < value && !atomic_compare_exchange_weak(most, &known, value))
        ;
}

static inline void lower_to(_Atomic uint64_t *least, uint64_t value)
{
    uint64_t known = atomic_load_explicit(least, memory_order_relaxed);
    while (known > value && !atomic_compare_exchange_weak(least, &known, value))
        ;
}
