/* What nvidia-smi prints, for a container of the lab; with --stay it then waits to be told to stop, card or
 * no card: it is what runs in a container that was given no program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../library/nvml_abi.h"

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
    printf("| %3u  %-30.30s Off |   00000000:%02X:00.0 Off |                    0 |\n", index, name, index + 1);
    printf("| N/A   N/A    P0             N/A /  N/A  | %22s | %6u%%      Default |\n", usage, utilization.gpu);
    puts("|                                         |                        |                  N/A |");
    puts(split);
    return NVML_SUCCESS;
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
        printf("| %4u   N/A  N/A    %12u      C   %-38s %9s |\n", index, processes[i].pid, name, usage);
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

static int print_table(void)
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
    print_head();
    for (unsigned int i = 0; i < count && result == NVML_SUCCESS; i++)
        result = print_card(i);
    if (result != NVML_SUCCESS) {
        printf("lab-smi could not read a device: %s.\n", nvml.nvmlErrorString(result));
        return EXIT_FAILURE;
    }
    print_processes(count);
    nvml.nvmlShutdown();
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    bool stay = count == 2 && strcmp(arguments[1], "--stay") == 0;
    if (count > 1 && !stay) {
        fprintf(stderr, "usage: lab-smi [--stay]\n");
        return EXIT_FAILURE;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    if (stay)
        sigprocmask(SIG_BLOCK, &stop, NULL); /* before the first line, so that whoever read it may signal us */
    int outcome = print_table();
    fflush(stdout);
    if (!stay)
        return outcome;
    int signal_number;
    sigwait(&stop, &signal_number);
    return EXIT_SUCCESS;
}
