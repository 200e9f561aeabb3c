/* Preloaded instead of the interceptor: writes every name asked of cuGetProcAddress to the file ASKED names, with the
 * CUDA version, the flags and the driver's answer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../library/cuda_abi.h"

#define EXPORT __attribute__((visibility("default")))

static __typeof__(&cuGetProcAddress_v2) real_v2;
static __typeof__(&cuGetProcAddress) real_v1;

static void note(const char *route, const char *symbol, int version, uint64_t flags, CUresult result)
{
    char line[256];
    const char *path = getenv("ASKED");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    int length = snprintf(line, sizeof line, "%s %s %d %llu %d\n", route, symbol ? symbol : "(null)", version,
                          (unsigned long long)flags, result);
    if (file >= 0) {
        if (write(file, line, (size_t)length) != length)
            unsetenv("ASKED"); /* a full disk: say no more */
        close(file);
    }
}

static CUresult ask_v2(const char *symbol, void **address, int version, uint64_t flags, int *status)
{
    CUresult result = real_v2(symbol, address, version, flags, status);
    note("proc2", symbol, version, flags, result);
    if (result == CUDA_SUCCESS && symbol && strcmp(symbol, "cuGetProcAddress") == 0 && version >= 12000)
        *address = (void *)ask_v2;
    return result;
}

static CUresult ask_v1(const char *symbol, void **address, int version, uint64_t flags)
{
    CUresult result = real_v1(symbol, address, version, flags);
    note("proc1", symbol, version, flags, result);
    return result;
}

EXPORT void *dlsym(void *restrict handle, const char *restrict name)
{
    static void *(*real)(void *, const char *);
    const char *const versions[] = {"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && !real; i++)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    if (name[0] != 'c' || name[1] != 'u' || !(name[2] >= 'A' && name[2] <= 'Z'))
        return real(handle, name); /* a tail call: RTLD_NEXT is counted from our caller */
    void *found = real(handle, name);
    note("dlsym", name, 0, 0, found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND);
    if (found && strcmp(name, "cuGetProcAddress_v2") == 0) {
        *(void **)&real_v2 = found;
        return (void *)ask_v2;
    }
    if (found && strcmp(name, "cuGetProcAddress") == 0) {
        *(void **)&real_v1 = found;
        return (void *)ask_v1;
    }
    return found;
}
