/* What nvidia-smi prints, for a container of the lab; with -L a line for each card and MIG device; with --stay it then
 * waits to be told to stop, card or no card: it is what runs in a container that was given no program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../fake-driver/nvml_agent_abi.h"

/* clang-format off */
#define NVML_FUNCTIONS(with)                \
    with(nvmlInit_v2)                       \
    with(nvmlShutdown)                      \
    with(nvmlErrorString)                   \
    with(nvmlSystemGetDriverVersion)        \
    with(nvmlSystemGetCudaDriverVersion_v2) \
    with(nvmlDeviceGetCount_v2)             \
    with(nvmlDeviceGetHandleByIndex_v2)     \
    with(nvmlDeviceGetName)                 \
    with(nvmlDeviceGetUUID)                 \
    with(nvmlDeviceGetPciInfo_v3)           \
    with(nvmlDeviceGetMigMode)              \
    with(nvmlDeviceGetMaxMigDeviceCount)    \
    with(nvmlDeviceGetMigDeviceHandleByIndex) \
    with(nvmlDeviceGetGpuInstanceId)        \
    with(nvmlDeviceGetComputeInstanceId)    \
    with(nvmlDeviceGetAttributes_v2)        \
    with(nvmlDeviceGetMemoryInfo)           \
    with(nvmlDeviceGetComputeRunningProcesses_v2) \
    with(nvmlDeviceGetUtilizationRates)
/* clang-format on */

static struct {
#define MEMBER(symbol) __typeof__(&symbol) symbol;
    NVML_FUNCTIONS(MEMBER)
} nvml;

static bool nvml_open(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!library)
        return false;
#define FIND(symbol)                                                                                                   \
    *(void **)&nvml.symbol = dlsym(library, #symbol);                                                                  \
    if (!nvml.symbol)                                                                                                  \
        return false;
    NVML_FUNCTIONS(FIND)
    return true;
}

static const char rule[] =
    "+-----------------------------------------------------------------------------------------+";
static const char split[] =
    "+-----------------------------------------+------------------------+----------------------+";

static void print_head(void)
{
    char driver[32] = "N/A", now[64];
    int cuda = 0;
    nvml.nvmlSystemGetDriverVersion(driver, sizeof driver);
    nvml.nvmlSystemGetCudaDriverVersion_v2(&cuda);
    char cuda_text[16];
    snprintf(cuda_text, sizeof cuda_text, "%d.%d", cuda / 1000, cuda % 1000 / 10);
    time_t seconds = time(NULL);
    strftime(now, sizeof now, "%a %b %e %H:%M:%S %Y", localtime(&seconds));
    puts(now);
    puts(rule);
    printf("| NVIDIA-SMI %-22s Driver Version: %-14s CUDA Version: %-8s |\n", driver, driver, cuda_text);
    puts(split);
    puts("| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |");
    puts("| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |");
    puts("|                                         |                        |               MIG M. |");
    puts("|=========================================+========================+======================|");
}

static bool in_mig_mode(nvmlDevice_t device)
{
    unsigned int is_on = 0, will_be_on;
    return nvml.nvmlDeviceGetMigMode(device, &is_on, &will_be_on) == NVML_SUCCESS && is_on;
}

/* Says something of each MIG device of the card. */
static unsigned int each_instance(unsigned int index, void (*say)(unsigned int card, unsigned int place, nvmlDevice_t))
{
    nvmlDevice_t device, instance;
    unsigned int most = 0, found = 0;
    if (nvml.nvmlDeviceGetHandleByIndex_v2(index, &device) != NVML_SUCCESS || !in_mig_mode(device) ||
        nvml.nvmlDeviceGetMaxMigDeviceCount(device, &most) != NVML_SUCCESS)
        return 0;
    for (unsigned int place = 0; place < most; place++)
        if (nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, place, &instance) == NVML_SUCCESS) {
            say(index, place, instance);
            found++;
        }
    return found;
}

static nvmlReturn_t print_card(unsigned int index)
{
    nvmlDevice_t device;
    char name[96] = "";
    nvmlMemory_t memory;
    nvmlUtilization_t utilization = {0, 0};
    nvmlReturn_t result = nvml.nvmlDeviceGetHandleByIndex_v2(index, &device);
    if (result == NVML_SUCCESS)
        result = nvml.nvmlDeviceGetMemoryInfo(device, &memory);
    if (result != NVML_SUCCESS)
        return result;
    nvml.nvmlDeviceGetName(device, name, sizeof name);
    nvml.nvmlDeviceGetUtilizationRates(device, &utilization);
    char usage[48];
    snprintf(usage, sizeof usage, "%lluMiB / %lluMiB", memory.used >> 20, memory.total >> 20);
    bool is_cut = in_mig_mode(device);
    nvmlPciInfo_t pci = {.busId = "N/A"};
    nvml.nvmlDeviceGetPciInfo_v3(device, &pci);
    printf("| %3u  %-30.30s Off |   %-16.16s Off |                    0 |\n", index, name, pci.busId);
    if (is_cut)
        printf("| N/A   N/A    P0             N/A /  N/A  | %22s |     N/A      Default |\n", "N/A");
    else
        printf("| N/A   N/A    P0             N/A /  N/A  | %22s | %6u%%      Default |\n", usage, utilization.gpu);
    printf("|                                         |                        | %20s |\n", is_cut ? "Enabled" : "N/A");
    puts(split);
    return NVML_SUCCESS;
}

static const char cuts[] =
    "+------------------+----------------------------------+-----------+-----------------------+";

static void print_instance(unsigned int card, unsigned int place, nvmlDevice_t instance)
{
    unsigned int gpu_instance = 0, compute_instance = 0;
    nvmlDeviceAttributes_t has = {0};
    nvmlMemory_t memory = {0, 0, 0};
    nvml.nvmlDeviceGetGpuInstanceId(instance, &gpu_instance);
    nvml.nvmlDeviceGetComputeInstanceId(instance, &compute_instance);
    nvml.nvmlDeviceGetAttributes_v2(instance, &has);
    nvml.nvmlDeviceGetMemoryInfo(instance, &memory);
    char usage[48];
    snprintf(usage, sizeof usage, "%lluMiB / %lluMiB", memory.used >> 20, memory.total >> 20);
    printf("| %2u  %3u %3u %3u  | %30s   |%3u      0 |%3u %3u  %3u  %3u  %3u |\n", card, gpu_instance, compute_instance,
           place, usage, has.multiprocessorCount, has.sharedCopyEngineCount, has.sharedEncoderCount,
           has.sharedDecoderCount, has.sharedOfaCount, has.sharedJpegCount);
    puts(cuts);
}

/* Of programs that have cards in MIG mode alone; those that are not cut get no table. */
static void print_instances(unsigned int cards)
{
    bool any = false;
    nvmlDevice_t device;
    for (unsigned int i = 0; i < cards; i++)
        any |= nvml.nvmlDeviceGetHandleByIndex_v2(i, &device) == NVML_SUCCESS && in_mig_mode(device);
    if (!any)
        return;
    puts("");
    puts(rule);
    puts("| MIG devices:                                                                            |");
    puts(cuts);
    puts("| GPU  GI  CI  MIG |                     Memory-Usage |        Vol|      Shared           |");
    puts("|      ID  ID  Dev |                                  | SM     Unc| CE ENC  DEC  OFA  JPG |");
    puts("|                  |                                  |        ECC|                       |");
    puts("|==================+==================================+===========+=======================|");
    unsigned int found = 0;
    for (unsigned int i = 0; i < cards; i++)
        found += each_instance(i, print_instance);
    if (found == 0) {
        puts("|  No MIG devices found                                                                   |");
        puts(rule);
    }
}

static void list_instance(unsigned int card, unsigned int place, nvmlDevice_t instance)
{
    char name[96] = "", uuid[96] = "";
    (void)card;
    nvml.nvmlDeviceGetName(instance, name, sizeof name);
    nvml.nvmlDeviceGetUUID(instance, uuid, sizeof uuid);
    const char *profile = strstr(name, "MIG ");
    printf("  MIG %-11s Device %2u: (UUID: %s)\n", profile ? profile + 4 : name, place, uuid);
}

static void print_list(unsigned int cards)
{
    for (unsigned int i = 0; i < cards; i++) {
        nvmlDevice_t device;
        char name[96] = "", uuid[96] = "";
        if (nvml.nvmlDeviceGetHandleByIndex_v2(i, &device) != NVML_SUCCESS)
            continue;
        nvml.nvmlDeviceGetName(device, name, sizeof name);
        nvml.nvmlDeviceGetUUID(device, uuid, sizeof uuid);
        printf("GPU %u: %s (UUID: %s)\n", i, name, uuid);
        each_instance(i, list_instance);
    }
}

/* The end of the program's path, where it is too long. */
static void name_of(unsigned int pid, char name[39])
{
    char path[32], text[4096] = "";
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    length = strlen(text);
    if (length > 38)
        snprintf(name, 39, "...%s", text + length - 35);
    else
        snprintf(name, 39, "%s", length ? text : "[Not Found]");
}

enum { LISTED_MAX = 1024 };

static unsigned int print_processes_of(unsigned int index)
{
    static nvmlProcessInfo_t processes[LISTED_MAX];
    nvmlDevice_t device;
    unsigned int count = LISTED_MAX;
    if (nvml.nvmlDeviceGetHandleByIndex_v2(index, &device) != NVML_SUCCESS ||
        nvml.nvmlDeviceGetComputeRunningProcesses_v2(device, &count, processes) != NVML_SUCCESS)
        return 0;
    for (unsigned int i = 0; i < count; i++) {
        char name[39], usage[24] = "N/A";
        name_of(processes[i].pid, name);
        if (processes[i].usedGpuMemory != NVML_VALUE_NOT_AVAILABLE)
            snprintf(usage, sizeof usage, "%lluMiB", processes[i].usedGpuMemory >> 20);
        char instance[32] = "   N/A  N/A";
        if (processes[i].gpuInstanceId != UINT_MAX)
            snprintf(instance, sizeof instance, "  %4u %4u", processes[i].gpuInstanceId,
                     processes[i].computeInstanceId);
        printf("| %4u%s    %12u      C   %-38s %9s |\n", index, instance, processes[i].pid, name, usage);
    }
    return count;
}

static void print_processes(unsigned int cards)
{
    unsigned int listed = 0;
    puts("");
    puts(rule);
    puts("| Processes:                                                                              |");
    puts("|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |");
    puts("|        ID   ID                                                               Usage      |");
    puts("|=========================================================================================|");
    for (unsigned int i = 0; i < cards; i++)
        listed += print_processes_of(i);
    if (listed == 0)
        puts("|  No running processes found                                                             |");
    puts(rule);
}

static int print_all(bool as_list)
{
    if (!nvml_open()) {
        puts("lab-smi could not find libnvidia-ml.so.1: this container was given no NVIDIA driver.");
        return EXIT_FAILURE;
    }
    nvmlReturn_t result = nvml.nvmlInit_v2();
    if (result != NVML_SUCCESS) {
        printf("lab-smi could not reach the NVIDIA driver: %s.\n", nvml.nvmlErrorString(result));
        return EXIT_FAILURE;
    }
    unsigned int count = 0;
    nvml.nvmlDeviceGetCount_v2(&count);
    if (count == 0) {
        puts("No devices were found.");
        return EXIT_FAILURE;
    }
    if (as_list) {
        print_list(count);
        nvml.nvmlShutdown();
        return EXIT_SUCCESS;
    }
    print_head();
    for (unsigned int i = 0; i < count && result == NVML_SUCCESS; i++)
        result = print_card(i);
    if (result != NVML_SUCCESS) {
        printf("lab-smi could not read a device: %s.\n", nvml.nvmlErrorString(result));
        return EXIT_FAILURE;
    }
    print_instances(count);
    print_processes(count);
    nvml.nvmlShutdown();
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    bool stay = count == 2 && strcmp(arguments[1], "--stay") == 0;
    bool as_list = count == 2 && (strcmp(arguments[1], "-L") == 0 || strcmp(arguments[1], "--list-gpus") == 0);
    if (count > 1 && !stay && !as_list) {
        fprintf(stderr, "usage: lab-smi [-L|--stay]\n");
        return EXIT_FAILURE;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    if (stay)
        sigprocmask(SIG_BLOCK, &stop, NULL); /* before the first line, so that whoever read it may signal us */
    int outcome = print_all(as_list);
    fflush(stdout);
    if (!stay)
        return outcome;
    int signal_number;
    sigwait(&stop, &signal_number);
    return EXIT_SUCCESS;
}
