#define _GNU_SOURCE
#include "driver.h"

#include <dlfcn.h>
#include <string.h>

#include "c_library.h"
#include "warning.h"

dlsym_function *real_dlsym(void)
{
    dlsym_function *real = atomic_load_explicit(&state.real_dlsym, memory_order_relaxed);
    if (real)
        return real;
    real = (dlsym_function *)c_library_function("dlsym");
    atomic_store_explicit(&state.real_dlsym, real, memory_order_relaxed);
    return real;
}

dlvsym_function *real_dlvsym(void)
{
    dlvsym_function *real = atomic_load_explicit(&state.real_dlvsym, memory_order_relaxed);
    if (real)
        return real;
    real = (dlvsym_function *)c_library_function("dlvsym");
    atomic_store_explicit(&state.real_dlvsym, real, memory_order_relaxed);
    return real;
}

/* Under another C library than the one we are built for nothing is given: no driver is asked. */
static void *open_driver(const char *name, int flags)
{
    if (!c_library_is_glibc() && flags == 0)
        warn_once(WARNING_C_LIBRARY,
                  "hami: this program runs on another C library than glibc; it is given no device memory.");
    return c_library_is_glibc() && real_dlsym() ? dlopen(name, RTLD_NOW | RTLD_LOCAL | flags) : NULL;
}

static int cuda_absent(void)
{
    return CUDA_ERROR_NO_DEVICE;
}

static int cuda_lacking(void)
{
    return CUDA_ERROR_NOT_SUPPORTED;
}

static int nvml_absent(void)
{
    return NVML_ERROR_LIBRARY_NOT_FOUND;
}

static int nvml_lacking(void)
{
    return NVML_ERROR_FUNCTION_NOT_FOUND;
}

static bool is_stand_in(const void *function)
{
    return function == (void *)cuda_absent || function == (void *)cuda_lacking || function == (void *)nvml_absent ||
           function == (void *)nvml_lacking;
}

/* Stores whole words: two threads that load at once write the same. One that found no library leaves alone what
 * another has found: a program may load it late, by a path that only it knows. */
static void fill(void **place, void *library, const char *name, void *absent, void *lacking)
{
    void *found = library ? real_dlsym()(library, name) : NULL, *nothing = NULL;
    if (library)
        __atomic_store_n(place, found ? found : lacking, __ATOMIC_RELAXED);
    else
        __atomic_compare_exchange_n(place, &nothing, absent, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* No lock and no pthread_once around dlopen: a constructor of the driver may call us back, or another thread may be
 * in dlopen and call us from there. Loading twice is harmless. */
static bool cuda_load(int flags)
{
    if (atomic_load_explicit(&state.cuda_ready, memory_order_acquire))
        return true;
    void *library = open_driver("libcuda.so.1", flags);
    if (!library && flags)
        return false;
#define HOOK(symbol, parameters, chapter)                                                                              \
    fill((void **)&state.cuda.symbol, library, #symbol, (void *)cuda_absent, (void *)cuda_lacking);
#define CALL(symbol, parameters) HOOK(symbol, parameters, )
#define NVML_HOOK(symbol, parameters)
#define NVML_CALL(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
    if (library)
        atomic_store_explicit(&state.cuda_ready, true, memory_order_release);
    return true;
}

static bool nvml_load(int flags)
{
    if (atomic_load_explicit(&state.nvml_ready, memory_order_acquire))
        return true;
    void *library = open_driver("libnvidia-ml.so.1", flags);
    if (!library && flags)
        return false;
#define HOOK(symbol, parameters, chapter)
#define CALL(symbol, parameters)
#define NVML_HOOK(symbol, parameters)                                                                                  \
    fill((void **)&state.nvml.symbol, library, #symbol, (void *)nvml_absent, (void *)nvml_lacking);
#define NVML_CALL(symbol, parameters) NVML_HOOK(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
    if (library)
        atomic_store_explicit(&state.nvml_ready, true, memory_order_release);
    return true;
}

void cuda_find(void)
{
    cuda_load(0);
}

const struct nvml *nvml(void)
{
    nvml_load(0);
    return &state.nvml;
}

bool nvml_started(void)
{
    if (!atomic_load(&state.nvml_started) && nvml()->nvmlInit_v2() == NVML_SUCCESS)
        atomic_store(&state.nvml_started, true);
    return atomic_load(&state.nvml_started);
}

/* cuda_abi.h, nvml_abi.h and hooks.def must agree on every signature. */
#define HOOK(symbol, parameters, chapter)                                                                              \
    _Static_assert(_Generic(&symbol, CUresult(*) parameters : 1, default : 0), #symbol " differs from cuda_abi.h");
#define CALL(symbol, parameters) HOOK(symbol, parameters, )
#define NVML_HOOK(symbol, parameters)                                                                                  \
    _Static_assert(_Generic(&symbol, nvmlReturn_t(*) parameters : 1, default : 0), #symbol " differs from "            \
                                                                                           "nvml_abi.h");
#define NVML_CALL(symbol, parameters) NVML_HOOK(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL

static const struct hook hooks[] = {
#define HOOK(symbol, parameters, chapter) {#symbol, (void *)symbol, (void *const *)&state.cuda.symbol, false},
#define CALL(symbol, parameters)
#define NVML_HOOK(symbol, parameters) {#symbol, (void *)symbol, (void *const *)&state.nvml.symbol, true},
#define NVML_CALL(symbol, parameters)
#include "hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};

enum { HOOKS = sizeof hooks / sizeof hooks[0] };

const struct hook *hook_named(const char *name)
{
    if (!(name[0] == 'c' && name[1] == 'u') && !(name[0] == 'n' && name[1] == 'v'))
        return NULL;
    for (size_t i = 0; i < HOOKS; i++)
        if (strcmp(hooks[i].name, name) == 0)
            return &hooks[i];
    return NULL;
}

const struct hook *hook_at(const void *address)
{
    for (size_t i = 0; i < HOOKS; i++)
        if (__atomic_load_n(hooks[i].real, __ATOMIC_RELAXED) == address)
            return is_stand_in(address) ? NULL : &hooks[i];
    return NULL;
}

bool hook_has_real(const struct hook *hook)
{
    if (!(hook->nvml ? nvml_load(RTLD_NOLOAD) : cuda_load(RTLD_NOLOAD)))
        return false;
    return !is_stand_in(__atomic_load_n(hook->real, __ATOMIC_RELAXED));
}
