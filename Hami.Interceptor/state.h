/* Everything this library knows; there is no other variable at file scope. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "allocations.h"
#include "cuda_abi.h"
#include "nvml_abi.h"
#include "region.h"

#define EXPORT __attribute__((visibility("default")))

/* The real driver's functions. What an older driver lacks answers "not supported". */
struct cuda {
#define HOOK(symbol, parameters, chapter) CUresult(*symbol) parameters;
#define CALL(symbol, parameters) CUresult(*symbol) parameters;
#define NVML_HOOK(symbol, parameters)
#define NVML_CALL(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};

struct nvml {
#define HOOK(symbol, parameters, chapter)
#define CALL(symbol, parameters)
#define NVML_HOOK(symbol, parameters) nvmlReturn_t(*symbol) parameters;
#define NVML_CALL(symbol, parameters) nvmlReturn_t(*symbol) parameters;
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};

typedef void *dlsym_function(void *handle, const char *name);

struct state {
    _Atomic(dlsym_function *) real_dlsym;
    struct cuda cuda;
    struct nvml nvml;
    _Atomic bool cuda_ready, nvml_ready;

    pthread_mutex_t attaching;
    _Atomic(struct region *) region; /* NULL until attached */
    struct region attached;
    bool fork_watched;
    _Atomic uint32_t warned; /* one bit per enum warning */

    _Atomic int8_t account_of[64]; /* CUDA ordinal -> account + 1; 0 = not asked yet */
    struct allocations allocations;
};

extern struct state state;
