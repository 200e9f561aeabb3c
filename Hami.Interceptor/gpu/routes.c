/* By which ways a program comes to the driver's functions, and where each leads.
 * routes hooks       (under the interceptor) every hook's name, asked of cuGetProcAddress: is the answer a wrapper?
 * routes addresses   (bare) every hook's address, looked up by name and asked of cuGetProcAddress
 * routes try ROUTE LIMIT_BYTES   the limit holds for memory asked for by this way */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

/* clang-format off */
static const char *const hooks[] = {
#define HOOK(symbol, parameters, chapter) #symbol,
#define CALL(symbol, parameters)
#define NVML_HOOK(symbol, parameters)
#define NVML_CALL(symbol, parameters)
#include "../library/hooks.def"
#undef HOOK
#undef CALL
#undef NVML_HOOK
#undef NVML_CALL
};
/* clang-format on */

enum { HOOKS = sizeof hooks / sizeof hooks[0] };

static const char *file_of(const void *address)
{
    Dl_info object;
    if (!address || !dladdr(address, &object) || !object.dli_fname)
        return "nowhere";
    const char *slash = strrchr(object.dli_fname, '/');
    return slash ? slash + 1 : object.dli_fname;
}

static uintptr_t offset_of(const void *address)
{
    Dl_info object;
    return address && dladdr(address, &object) ? (uintptr_t)address - (uintptr_t)object.dli_fbase : 0;
}

/* The name a program gives cuGetProcAddress, without the version and the twin that the exported symbol names. */
static void base_name(const char *symbol, char base[64], uint64_t *flags)
{
    snprintf(base, 64, "%s", symbol);
    char *end = strstr(base, "_pts");
    *flags = end ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : 0;
    if (end)
        *end = '\0';
    end = strstr(base, "_v2");
    if (end)
        *end = '\0';
}

static int driver_version(void)
{
    int version = 0;
    must("cuDriverGetVersion", CALL_DRIVER(cuDriverGetVersion, (int *), &version));
    return version;
}

static void *ask(const char *symbol, int version, int *status)
{
    char base[64];
    uint64_t flags;
    void *address = NULL;
    base_name(symbol, base, &flags);
    *status = -1;
    CALL_DRIVER(cuGetProcAddress_v2, (const char *, void **, int, uint64_t, int *), base, &address, version, flags,
                status);
    return address;
}

/* Of today's version; a name whose first version is a hook too is asked for that as well. */
static int check_hooks(void)
{
    int today = driver_version(), status, wrong = 0, asked = 0;
    for (size_t i = 0; i < HOOKS; i++) {
        if (!driver_find(hooks[i]))
            continue;
        void *address = ask(hooks[i], today, &status);
        bool is_ours = strstr(file_of(address), "libvgpu") != NULL;
        asked += address != NULL;
        if (address && !is_ours) {
            printf("FAIL cuGetProcAddress answers %s, version %d, with %s+0x%jx\n", hooks[i], today, file_of(address),
                   offset_of(address));
            wrong++;
        }
        if (address && is_ours && (strstr(hooks[i], "_pts") || strcmp(hooks[i], "cuGetProcAddress_v2") == 0) &&
            address != driver_find(hooks[i])) {
            printf("FAIL cuGetProcAddress answers %s, version %d, with the wrapper of another function\n", hooks[i],
                   today);
            wrong++;
        }
    }
    printf("= asked %d\n", asked);
    return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_addresses(void)
{
    static const int versions[] = {2000, 3020, 7000, 11000, 11030, 12000, 12080, 13000};
    int inner = 0, status;
    for (size_t i = 0; i < HOOKS; i++) {
        void *exported = driver_find(hooks[i]);
        printf("%-32s %s exported +0x%jx", hooks[i], file_of(exported), offset_of(exported));
        for (size_t j = 0; j < sizeof versions / sizeof versions[0]; j++) {
            void *address = ask(hooks[i], versions[j], &status);
            printf(" %d:%s+0x%jx", versions[j], address == exported ? "same" : "", offset_of(address));
        }
        int today = driver_version();
        void *address = ask(hooks[i], today, &status);
        bool known = false; /* is it any exported hook's address? */
        for (size_t j = 0; j < HOOKS; j++)
            known |= address && address == driver_find(hooks[j]);
        inner += address && !known;
        printf(" today:%s\n", !address ? "none" : known ? "exported" : "inner");
    }
    printf("= inner_copies %d\n", inner);
    return EXIT_SUCCESS;
}

static void *find_versioned(const char *symbol, const char **version)
{
    static const char *const versions[] = {"libcuda.so.1", "GLIBC_2.2.5", "GLIBC_2.17", "CUDA_1.0", "Base"};
    void *library = dlopen("libcuda.so.1", RTLD_NOW), *found = NULL;
    for (size_t i = 0; library && !found && i < sizeof versions / sizeof versions[0]; i++)
        found = dlvsym(library, symbol, *version = versions[i]);
    return found;
}

static void *find_by(const char *route, const char *name, const char *symbol)
{
    void *address = NULL;
    int status, version = 12000;
    uint64_t flags = 0;
    const char *symbol_version;
    if (strcmp(route, "dlsym") == 0)
        return driver_find(symbol);
    if (strcmp(route, "default") == 0)
        return dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) ? dlsym(RTLD_DEFAULT, symbol) : NULL;
    if (strcmp(route, "dlvsym") == 0) {
        address = find_versioned(symbol, &symbol_version);
        if (address)
            printf("= %s \"%s\"\n", symbol, symbol_version);
        return address;
    }
    if (strcmp(route, "proc1") == 0) {
        CALL_DRIVER(cuGetProcAddress, (const char *, void **, int, uint64_t), name, &address, 11030, 0);
        return address;
    }
    void *get = driver_need("cuGetProcAddress_v2");
    if (strcmp(route, "proc-of-proc") == 0) { /* as the CUDA runtime does: the asker itself is asked for */
        status = -1;
        must("cuGetProcAddress", CALL_DRIVER(cuGetProcAddress_v2, (const char *, void **, int, uint64_t, int *),
                                             "cuGetProcAddress", &get, version, 0, &status));
    } else if (strcmp(route, "proc2-legacy") == 0) {
        flags = CU_GET_PROC_ADDRESS_LEGACY_STREAM;
    } else if (strcmp(route, "proc2-per-thread") == 0) {
        flags = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    } else if (strcmp(route, "proc2-today") == 0) {
        version = driver_version();
    }
    status = -1;
    ((__typeof__(&cuGetProcAddress_v2))get)(name, &address, version, flags, &status);
    if (address && status != CU_GET_PROC_ADDRESS_SUCCESS)
        printf("FAIL %s: found, but the status is %d\n", name, status);
    return address;
}

static int try(const char *route, size_t limit_bytes)
{
    CUresult (*alloc)(CUdeviceptr *, size_t) = find_by(route, "cuMemAlloc", "cuMemAlloc_v2");
    CUresult (*release)(CUdeviceptr) = find_by(route, "cuMemFree", "cuMemFree_v2");
    CUresult (*async)(CUdeviceptr *, size_t, CUstream) = find_by(route, "cuMemAllocAsync", "cuMemAllocAsync");
    CUresult (*info)(size_t *, size_t *) = find_by(route, "cuMemGetInfo", "cuMemGetInfo_v2");
    if (!alloc || !release || !info) {
        printf("SKIP nothing is found this way\n");
        return EXIT_LACKING;
    }
    context_open(0);
    size_t free_bytes = 0, total_bytes = 0;
    CUdeviceptr pointer = 0, another = 0;
    must("cuMemGetInfo", info(&free_bytes, &total_bytes));
    /* What the context takes of the limit is gone already. A pool grows by pieces, the last of which may not fit. */
    const size_t piece_bytes = (size_t)32 << 20, pieces_bytes = free_bytes / piece_bytes * piece_bytes;
    CUresult over = alloc(&pointer, free_bytes + 1), within = alloc(&pointer, free_bytes), last = alloc(&another, 1);
    CUresult async_last = async ? async(&another, 1, NULL) : CUDA_ERROR_OUT_OF_MEMORY;
    CUresult released = release(pointer);
    CUresult async_within = async ? async(&pointer, pieces_bytes, NULL) : CUDA_SUCCESS;
    if (async && async_within == CUDA_SUCCESS)
        async_within = alloc(&another, free_bytes - pieces_bytes + 1) == CUDA_ERROR_OUT_OF_MEMORY ? release(pointer)
                                                                                                  : CUDA_ERROR_UNKNOWN;
    printf("= total_bytes %zu\n= free_bytes %zu\n= within %d\n= over %d\n= last %d\n= async_last %d\n"
           "= async_within %d\n",
           total_bytes, free_bytes, within, over, last, async_last, async_within);
    bool holds = total_bytes == limit_bytes && within == CUDA_SUCCESS && released == CUDA_SUCCESS &&
                 over == CUDA_ERROR_OUT_OF_MEMORY && last == CUDA_ERROR_OUT_OF_MEMORY &&
                 async_last == CUDA_ERROR_OUT_OF_MEMORY && async_within == CUDA_SUCCESS;
    if (!holds)
        printf("FAIL the limit does not hold by this way\n");
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "hooks") == 0)
        return check_hooks();
    if (count == 2 && strcmp(arguments[1], "addresses") == 0)
        return print_addresses();
    if (count == 4 && strcmp(arguments[1], "try") == 0)
        return try(arguments[2], strtoull(arguments[3], NULL, 10));
    fprintf(stderr, "usage: routes hooks | addresses | try ROUTE LIMIT_BYTES\n");
    return EXIT_FAILURE;
}
