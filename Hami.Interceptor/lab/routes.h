/* How a small CUDA program finds the driver: linked to it, by dlsym, or by cuGetProcAddress. To be included behind
 * CUDA_FUNCTIONS(with), the list of what it calls: with(name for cuGetProcAddress, exported symbol). */
#pragma once

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "../library/cuda_abi.h"

static struct {
#define MEMBER(name, symbol) __typeof__(&symbol) name;
    CUDA_FUNCTIONS(MEMBER)
} cuda = {
#define LINKED(name, symbol) .name = symbol,
    CUDA_FUNCTIONS(LINKED)};

/* "link", "dlsym" or "proc"; false when a function is not to be had that way. */
static bool route_choose(const char *route)
{
    if (strcmp(route, "link") == 0)
        return true;
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library)
        return false;
    if (strcmp(route, "dlsym") == 0) {
#define BY_DLSYM(name, symbol)                                                                                         \
    *(void **)&cuda.name = dlsym(library, #symbol);                                                                    \
    if (!cuda.name)                                                                                                    \
        return false;
        CUDA_FUNCTIONS(BY_DLSYM)
        return true;
    }
    if (strcmp(route, "proc") == 0) { /* newer versions of CUDA mean another function by cuCtxCreate */
        __typeof__(&cuGetProcAddress_v2) get = NULL;
        *(void **)&get = dlsym(library, "cuGetProcAddress_v2");
#define BY_ADDRESS(name, symbol)                                                                                       \
    if (!get ||                                                                                                        \
        get(#name, (void **)&cuda.name, strcmp(#name, "cuCtxCreate") == 0 ? 11030 : 12080, 0, NULL) != CUDA_SUCCESS || \
        !cuda.name)                                                                                                    \
        return false;
        CUDA_FUNCTIONS(BY_ADDRESS)
        return true;
    }
    return false;
}
