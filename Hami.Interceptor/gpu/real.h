/* What the programs here need of the driver API beyond cuda_abi.h. Every function is looked up while running: a driver
 * that lacks one (the pretended one lacks many) is told apart from one that fails. Facts from the CUDA Driver API. */
#pragma once

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "../library/cuda_abi.h"

enum { EXIT_LACKING = 77 }; /* the driver has no such function: nothing to check here */

typedef struct CUmod_st *CUmodule;

enum {
    CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3,
    CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS = 1,
    CU_AD_FORMAT_FLOAT = 0x20,
};

typedef struct {
    CUmemLocation location;
    int flags;
} CUmemAccessDesc;

typedef struct {
    unsigned char bytes[64];
} CUipcMemHandle;

static inline void *driver_find(const char *symbol)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    return library ? dlsym(library, symbol) : NULL;
}

static inline void *driver_need(const char *symbol)
{
    void *function = driver_find(symbol);
    if (!function) {
        printf("SKIP the driver has no %s\n", symbol);
        fflush(stdout);
        exit(EXIT_LACKING);
    }
    return function;
}

/* A call by name: CALL_DRIVER(cuMemsetD8_v2, (CUdeviceptr, unsigned char, size_t), pointer, 1, bytes) */
#define CALL_DRIVER(symbol, parameters, ...) (((CUresult(*) parameters)driver_need(#symbol))(__VA_ARGS__))

/* Ends the program over a call that must not fail. */
static inline void must(const char *what, CUresult result)
{
    if (result == CUDA_SUCCESS)
        return;
    printf("FAIL %s gave %d\n", what, result);
    fflush(stdout);
    exit(EXIT_FAILURE);
}

static inline CUcontext context_open(int ordinal)
{
    CUcontext context;
    must("cuInit", CALL_DRIVER(cuInit, (unsigned int), 0));
    must("cuDevicePrimaryCtxRetain", CALL_DRIVER(cuDevicePrimaryCtxRetain, (CUcontext *, CUdevice), &context, ordinal));
    must("cuCtxSetCurrent", CALL_DRIVER(cuCtxSetCurrent, (CUcontext), context));
    return context;
}

/* PTX of the lowest level the driver takes: CUDA 13's compilers have dropped some, its driver's may too. */
static inline CUresult module_load(CUmodule *module, const char *body)
{
    static const struct {
        const char *version, *target;
    } levels[] = {{"6.0", "sm_50"}, {"6.0", "sm_70"}, {"6.3", "sm_75"}, {"7.0", "sm_80"}, {"7.8", "sm_90"}};
    CUresult result = CUDA_ERROR_UNKNOWN;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0] && result != CUDA_SUCCESS; i++) {
        char text[4096];
        snprintf(text, sizeof text, ".version %s\n.target %s\n.address_size 64\n%s", levels[i].version,
                 levels[i].target, body);
        result = CALL_DRIVER(cuModuleLoadData, (CUmodule *, const void *), module, text);
    }
    return result;
}
