/* The ways by which a program asks for a driver function by name. A directly linked program needs none of them: it
 * finds our exported names before the driver's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"

/* A second copy of the driver, opened by another path or in another link namespace, is still the driver. */
static bool is_in_driver(const void *address)
{
    Dl_info object;
    if (!dladdr(address, &object) || !object.dli_fname)
        return false;
    const char *slash = strrchr(object.dli_fname, '/');
    const char *file = slash ? slash + 1 : object.dli_fname;
    return strncmp(file, "libcuda.so", 10) == 0 || strncmp(file, "libnvidia-ml.so", 15) == 0;
}

static __attribute__((noinline)) void *lookup_hook(const struct hook *hook, void *handle, dlsym_function *real,
                                                   const void *caller)
{
    /* A driver that loads its other half and asks it for functions (as under WSL) must not be led back to us. */
    if (is_in_driver(caller))
        return real(handle, hook->name);

    /* Called from here "the next" would be the one after us. Our wrapper calls the driver itself, never the next
     * object, so it is a good answer whoever asked. */
    if (handle == RTLD_NEXT && hook_has_real(hook))
        return hook->wrapper;

    void *found = real(handle, hook->name);
    /* A search through the whole program finds us also where nobody has loaded a driver. Then the answer is what it
     * would be without us, and so is dlerror's. */
    if (found == hook->wrapper && !hook_has_real(hook))
        found = real(RTLD_NEXT, hook->name);
    if (!found)
        return NULL;
    if ((hook_has_real(hook) && hook_at(found) == hook) || is_in_driver(found))
        return hook->wrapper;
    return found; /* someone else's function of that name */
}

/* Whoever looks up how to look up finds ours. */
static void *own_lookup(void *found)
{
    if (found && found == (void *)real_dlsym())
        return (void *)dlsym;
    if (found && found == (void *)real_dlvsym())
        return (void *)dlvsym;
    return found;
}

/* "dlsym" or "dlvsym"; spelt out, for a sanitizer asks for its functions before its strcmp is ready. */
static bool is_lookup(const char *name)
{
    if (name[0] != 'd' || name[1] != 'l')
        return false;
    name += name[2] == 'v' ? 3 : 2;
    return name[0] == 's' && name[1] == 'y' && name[2] == 'm' && name[3] == '\0';
}

EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
    dlsym_function *real = real_dlsym();
    if (!real)
        return NULL;
    const struct hook *hook = hook_named(name);
    if (hook)
        return lookup_hook(hook, handle, real, __builtin_return_address(0));
    if (is_lookup(name) && handle != RTLD_NEXT && handle != RTLD_DEFAULT)
        return own_lookup(real(handle, name));
    /* A tail call: the C library sees our caller's return address, which RTLD_NEXT and RTLD_DEFAULT depend on. */
    return real(handle, name);
}

/* The same with a version. The driver's functions have none or one; ours are found without. */
EXPORT void *dlvsym(void *restrict handle, const char *restrict name, const char *restrict version)
{
    dlvsym_function *real = real_dlvsym();
    if (!real)
        return NULL;
    const struct hook *hook = hook_named(name);
    if (hook && !is_in_driver(__builtin_return_address(0))) {
        void *found = real(handle, name, version);
        bool ours = found && ((hook_has_real(hook) && hook_at(found) == hook) || is_in_driver(found));
        return ours ? hook->wrapper : found;
    }
    if (is_lookup(name))
        return own_lookup(real(handle, name, version));
    return real(handle, name, version);
}

static const struct hook *hook_named_with(const char *symbol, const char *ending)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", symbol, ending);
    return hook_named(name);
}

/* The hook an inner copy of a function stands for, one that has no exported name of its own: the twin for per-thread
 * streams where it was asked for, and of the others mostly the _v2, which since CUDA 3.2 are the 64-bit ones. */
static const struct hook *hook_of_copy(const char *symbol, int cuda_version, uint64_t flags)
{
    static const struct {
        const char *symbol;
        int since;
        const char *ending;
    } exceptions[] = {{"cuGetProcAddress", 12000, "_v2"},    {"cuGraphInstantiate", 12000, "WithFlags"},
                      {"cuGraphInstantiate", 11000, "_v2"},  {"cuGraphInstantiate", 10000, ""},
                      {"cuMulticastBindMem", 13010, "_v2"},  {"cuMulticastBindMem", 12010, ""},
                      {"cuMulticastBindAddr", 13010, "_v2"}, {"cuMulticastBindAddr", 12010, ""},
                      {"cuCtxCreate", 12050, "_v4"},         {"cuCtxCreate", 11040, "_v3"}};
    const char *ending = cuda_version >= 3020 && strcmp(symbol, "cuGetProcAddress") != 0 ? "_v2" : "";
    for (size_t i = sizeof exceptions / sizeof exceptions[0]; i-- > 0;)
        if (strcmp(symbol, exceptions[i].symbol) == 0 && cuda_version >= exceptions[i].since)
            ending = exceptions[i].ending;
    const struct hook *hook = NULL;
    if (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM)
        hook = hook_named_with(symbol, "_ptsz");
    if (!hook)
        hook = hook_named_with(symbol, ending);
    return hook ? hook : hook_named(symbol);
}

/* The driver has chosen by version and flags; we only exchange its function for our wrapper of that very function. */
static void exchange(const char *symbol, int cuda_version, uint64_t flags, void **address)
{
    if (!symbol || !address || !*address)
        return;
    const struct hook *hook = hook_at(*address);
    if (!hook && is_in_driver(*address))
        hook = hook_of_copy(symbol, cuda_version, flags);
    if (hook)
        *address = hook->wrapper;
}

EXPORT CUresult cuGetProcAddress(const char *symbol, void **address, int cuda_version, uint64_t flags)
{
    CUresult result = cuda()->cuGetProcAddress(symbol, address, cuda_version, flags);
    if (result == CUDA_SUCCESS)
        exchange(symbol, cuda_version, flags, address);
    return result;
}

EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **address, int cuda_version, uint64_t flags, int *status)
{
    CUresult result = cuda()->cuGetProcAddress_v2(symbol, address, cuda_version, flags, status);
    if (result == CUDA_SUCCESS)
        exchange(symbol, cuda_version, flags, address);
    return result;
}
