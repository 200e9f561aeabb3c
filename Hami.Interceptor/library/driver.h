/* The real driver and real NVML, found in their own scope so that our wrappers never find each other. */
#pragma once

#include <stdbool.h>

#include "state.h"

/* The functions of the C library, not ours. */
dlsym_function *real_dlsym(void);
dlvsym_function *real_dlvsym(void);

void cuda_find(void);

/* Loads libcuda.so.1 on first use. Where it is missing every function answers CUDA_ERROR_NO_DEVICE. */
static inline const struct cuda *cuda(void)
{
    if (__builtin_expect(!atomic_load_explicit(&state.cuda_ready, memory_order_acquire), 0))
        cuda_find();
    return &state.cuda;
}

/* Loads libnvidia-ml.so.1 on first use. Where it is missing every function answers NVML_ERROR_LIBRARY_NOT_FOUND. */
const struct nvml *nvml(void);

/* True when NVML answers; started at the first call and kept, for that takes it some 15 ms. Held: state.asking. */
bool nvml_started(void);

struct hook {
    const char *name;
    void *wrapper;
    void *const *real; /* where the driver's address is kept */
    bool nvml;
};

/* The hook of that name, NULL when we leave the name alone. */
const struct hook *hook_named(const char *name);

/* The hook whose driver function has that address, else NULL. */
const struct hook *hook_at(const void *address);

/* True when the driver is in the process and has the hook's function. */
bool hook_has_real(const struct hook *hook);
