/* Looks functions up in the ways programs do; ends with 0 when every answer is right. Not linked to the driver. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../library/cuda_abi.h"
#include "../library/nvml_abi.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: not so: %s\n", __LINE__, #condition);                                                     \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static const char *object_of(void *address)
{
    Dl_info object;
    CHECK(address && dladdr(address, &object));
    const char *slash = strrchr(object.dli_fname, '/');
    return slash ? slash + 1 : object.dli_fname;
}

static bool is_ours(void *address)
{
    return strcmp(object_of(address), "libvgpu.so") == 0;
}

static void absent(void)
{
    static const char *const names[] = {"cuInit",         "cuMemAlloc_v2",           "cuGetProcAddress",
                                        "nvmlInit_v2",    "nvmlDeviceGetMemoryInfo", "curl_easy_init",
                                        "cublasCreate_v2"};
    CHECK(!dlopen("libcuda.so.1", RTLD_NOW));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CHECK(!dlsym(RTLD_DEFAULT, names[i]));
        CHECK(!dlsym(RTLD_NEXT, names[i]));
        CHECK(!dlsym(dlopen(NULL, RTLD_NOW), names[i]));
    }
    CHECK(dlsym(RTLD_DEFAULT, "printf") == (void *)printf);
}

#define FIND(library, symbol) __typeof__(&symbol) symbol##_ = (__typeof__(&symbol))dlsym(library, #symbol)

static void uninitialised(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW), *nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    CUdeviceptr pointer;
    size_t one, two;
    nvmlMemory_t memory;
    FIND(cuda, cuMemAlloc_v2);
    FIND(cuda, cuMemFree_v2);
    FIND(cuda, cuMemGetInfo_v2);
    FIND(cuda, cuDeviceTotalMem_v2);
    FIND(nvml, nvmlDeviceGetMemoryInfo);
    CHECK(is_ours((void *)cuMemAlloc_v2_) && is_ours((void *)nvmlDeviceGetMemoryInfo_));
    CHECK(cuMemAlloc_v2_(&pointer, 1) == CUDA_ERROR_NOT_INITIALIZED);
    CHECK(cuMemFree_v2_(1) == CUDA_ERROR_NOT_INITIALIZED);
    CHECK(cuMemGetInfo_v2_(&one, &two) == CUDA_ERROR_NOT_INITIALIZED);
    CHECK(cuDeviceTotalMem_v2_(&one, 0) == CUDA_ERROR_NOT_INITIALIZED);
    CHECK(nvmlDeviceGetMemoryInfo_(NULL, &memory) == NVML_ERROR_UNINITIALIZED);
}

static void everywhere(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    CHECK(is_ours(dlsym(RTLD_DEFAULT, "cuMemAlloc_v2")));
    CHECK(is_ours(dlsym(RTLD_NEXT, "cuMemAlloc_v2")));
    CHECK(is_ours(dlsym(RTLD_NEXT, "cuMemAlloc_v2"))); /* and again */
    CHECK(is_ours(dlsym(dlopen(NULL, RTLD_NOW), "cuMemAlloc_v2")));
    CHECK(is_ours(dlsym(cuda, "cuMemAlloc_v2")));
    CHECK(is_ours(dlsym(cuda, "cuGetProcAddress")));
    CHECK(strcmp(object_of(dlsym(cuda, "cuInit")), "libcuda.so.1") == 0);
    CHECK(!dlsym(cuda, "cuNoSuchFunction"));
}

/* Who asks the whole program whether there is a driver does not bring one in, and is told so properly. */
static void unasked(void)
{
    dlerror();
    CHECK(!dlsym(RTLD_DEFAULT, "cuMemAlloc_v2"));
    CHECK(dlerror());
    CHECK(!dlsym(RTLD_DEFAULT, "cuMemAlloc_v2"));
    CHECK(dlerror());
    CHECK(!dlsym(RTLD_NEXT, "nvmlDeviceGetMemoryInfo"));
    CHECK(dlerror());
    CHECK(!dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD) && !dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_NOLOAD));
    void *shim = dlopen(getenv("SHIM"), RTLD_NOW | RTLD_GLOBAL);
    CHECK(shim);
    CHECK(strcmp(object_of(dlsym(RTLD_DEFAULT, "cuMemAlloc_v2")), "libshim.so") == 0);
    dlerror();
    CHECK(dlsym(shim, "cuMemAlloc_v2"));
    CHECK(!dlerror());
}

static void *driver_open(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/driver/%s", getenv("BUILD"), name);
    void *library = dlopen(path, RTLD_NOW);
    CHECK(library);
    return library;
}

/* Neither library is where the loader looks; we ask for NVML before the program has loaded it by its path. */
static void late(void)
{
    void *cuda = driver_open("libcuda.so.1");
    FIND(cuda, cuInit);
    FIND(cuda, cuCtxCreate_v2);
    FIND(cuda, cuMemAlloc_v2);
    CUcontext context;
    CUdeviceptr pointer;
    CHECK(cuInit_(0) == CUDA_SUCCESS && cuCtxCreate_v2_(&context, 0, 0) == CUDA_SUCCESS);
    CHECK(cuMemAlloc_v2_(&pointer, 1) == CUDA_SUCCESS);
    void *nvml = driver_open("libnvidia-ml.so.1");
    FIND(nvml, nvmlInit_v2);
    FIND(nvml, nvmlDeviceGetHandleByIndex_v2);
    FIND(nvml, nvmlDeviceGetMemoryInfo);
    nvmlDevice_t device;
    nvmlMemory_t memory;
    CHECK(nvmlInit_v2_() == NVML_SUCCESS && nvmlDeviceGetHandleByIndex_v2_(0, &device) == NVML_SUCCESS);
    CHECK(is_ours((void *)nvmlDeviceGetMemoryInfo_));
    CHECK(nvmlDeviceGetMemoryInfo_(device, &memory) == NVML_SUCCESS);
    CHECK(memory.total == 1 << 30 && memory.used == 1);
}

/* Before any constructor has run, ours among them. */
static void *found_first;

static void ask_first(void)
{
    found_first = dlsym(RTLD_NEXT, "malloc");
    dlsym(RTLD_DEFAULT, "cuMemAlloc_v2");
}

__attribute__((section(".preinit_array"), used)) static void (*first)(void) = ask_first;

static void early(void)
{
    CHECK(found_first && found_first == dlsym(RTLD_NEXT, "malloc"));
}

static void others(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW), *shim = dlopen(getenv("SHIM"), RTLD_NOW);
    CHECK(shim);
    CHECK(!dlsym(cuda, "curl_easy_init"));
    CHECK(!dlsym(RTLD_DEFAULT, "curl_easy_init"));
    CHECK(strcmp(object_of(dlsym(shim, "curl_easy_init")), "libshim.so") == 0);
    CHECK(strcmp(object_of(dlsym(shim, "cublasCreate_v2")), "libshim.so") == 0);
    /* A function of that name in another library is that library's own. */
    CHECK(strcmp(object_of(dlsym(shim, "cuMemAlloc_v2")), "libshim.so") == 0);
}

/* Linked to libfirst.so, then libsecond.so; each has an answer() and libfirst.so asks for the next one. */
static void next(void)
{
    void *first = dlopen("libfirst.so", RTLD_NOW);
    CHECK(first);
    int (*ask_next)(void) = (int (*)(void))dlsym(first, "ask_next");
    for (int i = 0; i < 3; i++)
        CHECK(ask_next() == 2);
    CHECK(dlsym(RTLD_NEXT, "malloc") == dlsym(RTLD_NEXT, "malloc"));
    CHECK(dlsym(RTLD_NEXT, "malloc"));
}

static void versions(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW), *address = NULL, *again = NULL;
    int status = -1;
    FIND(cuda, cuGetProcAddress);
    FIND(cuda, cuGetProcAddress_v2);
    static const struct {
        const char *name;
        int version;
        uint64_t flags;
        const char *expected; /* NULL: the driver's own */
    } cases[] = {
        {"cuMemAlloc", 2000, 0, "cuMemAlloc"},
        {"cuMemAlloc", 3020, 0, "cuMemAlloc_v2"},
        {"cuMemAlloc", 12080, 0, "cuMemAlloc_v2"},
        {"cuMemAllocAsync", 12080, 0, "cuMemAllocAsync"},
        {"cuMemAllocAsync", 12080, 1, "cuMemAllocAsync"},
        {"cuMemAllocAsync", 12080, 2, "cuMemAllocAsync_ptsz"},
        {"cuGetProcAddress", 11030, 0, "cuGetProcAddress"},
        {"cuGetProcAddress", 12000, 0, "cuGetProcAddress_v2"},
        {"cuDeviceTotalMem", 12000, 0, "cuDeviceTotalMem_v2"},
        {"cuInit", 12000, 0, NULL},
        {"cuCtxCreate", 10000, 0, "cuCtxCreate_v2"},
        {"cuCtxCreate", 12000, 0, "cuCtxCreate_v3"},
        {"cuCtxCreate", 12080, 0, "cuCtxCreate_v4"},
        {"cuDeviceGetCount", 12000, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(cuGetProcAddress_v2_(cases[i].name, &address, cases[i].version, cases[i].flags, &status) == CUDA_SUCCESS);
        CHECK(status == 0);
        CHECK(cuGetProcAddress_(cases[i].name, &again, cases[i].version, cases[i].flags) == CUDA_SUCCESS);
        CHECK(address == again);
        CHECK(is_ours(address) == (cases[i].expected != NULL));
        if (cases[i].expected)
            CHECK(address == dlsym(cuda, cases[i].expected));
    }
    CHECK(cuGetProcAddress_v2_("cuMemAllocAsync", &address, 11000, 0, &status) == CUDA_ERROR_NOT_FOUND);
    CHECK(status == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT && !address);
    CHECK(cuGetProcAddress_v2_("cuNothing", &address, 12000, 0, &status) == CUDA_ERROR_NOT_FOUND);
    CHECK(status == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
    CHECK(cuGetProcAddress_v2_(NULL, &address, 12000, 0, NULL) == CUDA_ERROR_INVALID_VALUE);
    CHECK(cuGetProcAddress_v2_("cuMemAlloc", NULL, 12000, 0, NULL) == CUDA_ERROR_INVALID_VALUE);
    CHECK(cuGetProcAddress_v2_("cuMemAlloc", &address, 12000, 0, NULL) == CUDA_SUCCESS);
}

static int files_open_now(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Whoever looks at a file for a moment, as the watcher does, closes it again. */
static int files_open(void)
{
    int least = files_open_now();
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        int now = files_open_now();
        least = now < least ? now : least;
    }
    return least;
}

static bool files_open_become(int count)
{
    for (int i = 0; i < 100 && files_open() != count; i++)
        ;
    return files_open() == count;
}

static void guest(void)
{
    struct sigaction before[64], after;
    umask(027);
    for (int i = 1; i < 64; i++)
        sigaction(i, NULL, &before[i]);
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
    FIND(cuda, cuInit);
    FIND(cuda, cuCtxCreate_v2);
    FIND(cuda, cuMemAlloc_v2);
    CUcontext context;
    CUdeviceptr pointer;
    CHECK(cuInit_(0) == CUDA_SUCCESS && cuCtxCreate_v2_(&context, 0, 0) == CUDA_SUCCESS);
    CHECK(cuMemAlloc_v2_(&pointer, 1) == CUDA_SUCCESS);
    int files = files_open();
    for (int i = 0; i < 100; i++)
        CHECK(cuMemAlloc_v2_(&pointer, 1) == CUDA_SUCCESS);
    CHECK(files_open_become(files));
    for (int i = 1; i < 64; i++)
        if (sigaction(i, NULL, &after) == 0)
            CHECK(after.sa_handler == before[i].sa_handler);
    CHECK(umask(0) == 027);
}

#if defined __aarch64__
#define C_LIBRARY_VERSION "GLIBC_2.17"
#else
#define C_LIBRARY_VERSION "GLIBC_2.2.5"
#endif

static void with_version(void)
{
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW), *libc = dlopen("libc.so.6", RTLD_NOW);
    CHECK(!dlvsym(cuda, "cuMemAlloc_v2", "libcuda.so.1")); /* without versions, as NVIDIA's: as without us */
    CHECK(dlvsym(RTLD_DEFAULT, "printf", C_LIBRARY_VERSION) == (void *)printf);
    CHECK(dlvsym(libc, "qsort", C_LIBRARY_VERSION) == (void *)qsort && !dlvsym(libc, "qsort", "GLIBC_9.9"));
    CHECK(is_ours(dlvsym(RTLD_NEXT, "dlsym", C_LIBRARY_VERSION)));
    CHECK(is_ours(dlvsym(libc, "dlsym", C_LIBRARY_VERSION)) && is_ours(dlsym(libc, "dlsym")));
    CHECK(is_ours(dlsym(libc, "dlvsym")) && is_ours(dlsym(RTLD_DEFAULT, "dlvsym")));
}

/* A driver of another link namespace is a driver; one bound to itself first is too. */
static void elsewhere(void)
{
    CHECK(is_ours(dlsym(dlmopen(LM_ID_NEWLM, "libcuda.so.1", RTLD_NOW), "cuMemAlloc_v2")));
    CHECK(is_ours(dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_DEEPBIND), "cuMemAlloc_v2")));
}

static void *found_deep(void *library)
{
    CHECK(library);
    void *(*find)(const char *) = (void *(*)(const char *))dlsym(library, "deep_find");
    return find("cuMemAlloc_v2");
}

/* What we cannot be in the way of: such a library finds the C library's dlsym before ours. */
static void hidden(void)
{
    const char *path = getenv("DEEP");
    CHECK(!is_ours(found_deep(dlmopen(LM_ID_NEWLM, path, RTLD_NOW))));
    CHECK(!is_ours(found_deep(dlopen(path, RTLD_NOW | RTLD_DEEPBIND))));
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"absent", absent},
               {"uninitialised", uninitialised},
               {"everywhere", everywhere},
               {"unasked", unasked},
               {"late", late},
               {"early", early},
               {"others", others},
               {"next", next},
               {"versions", versions},
               {"guest", guest},
               {"with-version", with_version},
               {"elsewhere", elsewhere},
               {"hidden", hidden}};
    for (size_t i = 0; count == 2 && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(arguments[1], all[i].name) == 0) {
            all[i].run();
            return 0;
        }
    return 2;
}
