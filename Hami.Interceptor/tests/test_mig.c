/* Containers that were given MIG instances: what they see, and that nothing is invented there. */
#define _GNU_SOURCE
#include "testing.h"

#include <dlfcn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fake-driver/nvml_agent_abi.h"

#define ONE "MIG-00000000-0000-5000-8000-000000000001"
#define TWO "MIG-00000000-0000-5000-8000-000000000002"
#define ONE_BYTES (UINT64_C(4864) * MIB)

/* A card cut into 1g.5gb at 0 and 2g.10gb at 2, and a whole one. */
static void cut_card(void)
{
    char path[160];
    snprintf(path, sizeof path, "%s/cards", test_folder);
    FILE *cards = fopen(path, "w");
    fprintf(cards, "%s;NVIDIA A100-SXM4-40GB;40960;108;mig=on\n%s;NVIDIA A100-SXM4-40GB;40960;108;mig=off\n", CARD_0,
            CARD_1);
    fclose(cards);
    snprintf(path, sizeof path, "%s/cards.mig", test_folder);
    FILE *mig = fopen(path, "w");
    fprintf(mig, "gi %s 11 19 0:1 64\ngi %s 6 14 2:2 65\nci %s 11 0 0 0:1 0 %s\nci %s 6 0 1 0:2 1 %s\n", CARD_0, CARD_0,
            CARD_0, ONE, CARD_0, TWO);
    fclose(mig);
}

static void check_output(const char *settings, const char *command, const char *wanted)
{
    char output[8192];
    CHECK_EQUAL(run(settings, command, output, sizeof output), 0);
    if (strcmp(output, wanted) != 0)
        FAIL("%s", output);
}

TEST(a_container_sees_the_instance_it_was_given_with_its_memory_and_multiprocessors)
{
    cut_card();
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" TWO);
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 10468982784");
    expect(&client, "start 1", "101");
    client_end(&client);
    check_output("NVIDIA_VISIBLE_DEVICES=" TWO, "$BUILD/bin/nvidia-smi -L",
                 "GPU 0: NVIDIA A100-SXM4-40GB (UUID: " CARD_0 ")\n  MIG 2g.10gb     Device  0: (UUID: " TWO ")\n");
}

TEST(a_program_on_the_node_sees_all_instances_in_their_places_and_the_whole_card)
{
    cut_card();
    check_output("", "$BUILD/bin/nvidia-smi -L",
                 "GPU 0: NVIDIA A100-SXM4-40GB (UUID: " CARD_0 ")\n  MIG 1g.5gb      Device  0: (UUID: " ONE
                 ")\n  MIG 2g.10gb     Device  1: (UUID: " TWO ")\n"
                 "GPU 1: NVIDIA A100-SXM4-40GB (UUID: " CARD_1 ")\n");
}

/* CUDA takes one of them; which, CUDA_VISIBLE_DEVICES may say. */
TEST(a_process_is_on_one_instance_of_several)
{
    cut_card();
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" ONE "," TWO);
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 5100273664");
    client_end(&client);
    client = client_start("NVIDIA_VISIBLE_DEVICES=" ONE "," TWO " CUDA_VISIBLE_DEVICES=" TWO);
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 10468982784");
    client_end(&client);
}

TEST(an_instance_that_is_full_touches_no_other)
{
    cut_card();
    struct client one = client_start("NVIDIA_VISIBLE_DEVICES=" ONE), two = client_start("NVIDIA_VISIBLE_DEVICES=" TWO);
    struct client whole = client_start("NVIDIA_VISIBLE_DEVICES=" CARD_1);
    expect(&one, "start 0", "0");
    expect(&two, "start 0", "0");
    expect(&whole, "start 0", "0");
    allocate(&one, ONE_BYTES);
    expect(&one, "alloc 1", "2 0");
    allocate(&two, UINT64_C(9984) * MIB);
    expect(&two, "alloc 1", "2 0");
    allocate(&whole, UINT64_C(40960) * MIB);
    client_kill(&one);
    struct client again = client_start("NVIDIA_VISIBLE_DEVICES=" ONE);
    expect(&again, "start 0", "0");
    allocate(&again, ONE_BYTES);
    client_end(&again);
    client_end(&two);
    client_end(&whole);
}

TEST(the_table_shows_instances_and_who_is_on_them)
{
    char output[8192], row[160];
    cut_card();
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" TWO);
    expect(&client, "start 0", "0");
    allocate(&client, 3 * GIB);
    CHECK_EQUAL(run("", "$BUILD/bin/nvidia-smi", output, sizeof output), 0);
    snprintf(row, sizeof row, "|    0     6    0    %12d      C   ", client.pid);
    CHECK(strstr(output, "|              Enabled |"));
    CHECK(
        strstr(output, "|  0   11   0   0  |                 0MiB / 4864MiB   | 14      0 |  1   0    0    0    0 |"));
    CHECK(
        strstr(output, "|  0    6   0   1  |              3072MiB / 9984MiB   | 28      0 |  2   0    1    0    0 |"));
    CHECK(strstr(output, row));
    CHECK(strstr(output, " 0MiB / 40960MiB |"));
    CHECK_EQUAL(run("NVIDIA_VISIBLE_DEVICES=" ONE, "$BUILD/bin/nvidia-smi", output, sizeof output), 0);
    CHECK(strstr(output, "No running processes found"));
    client_end(&client);
}

/* What HAMi sets for shares of a card is not set for instances; what is not set must not be found. */
TEST(the_library_invents_no_limit_for_an_instance)
{
    cut_card();
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" ONE);
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 5100273664 total 5100273664");
    allocate(&client, ONE_BYTES);
    expect(&client, "alloc 1", "2 0");
    expect(&client, "info", "0 free 0 total 5100273664");
    client_end(&client);
}

/* A limit within an instance, should somebody set one. */
TEST(a_limit_holds_within_an_instance)
{
    char settings[256];
    cut_card();
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" ONE " CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 1073741824");
    allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
    snprintf(settings, sizeof settings, "hami-limits 1\ncard %s memory 1g\nend\n", ONE);
    client = client_start(grant(settings));
    expect(&client, "start 0", "0");
    client_end(&client);
}

static void *nvml_function(const char *symbol)
{
    static void *library;
    char path[512];
    snprintf(path, sizeof path, "%s/driver/libnvidia-ml.so.1", build_folder);
    library = library ? library : dlopen(path, RTLD_NOW);
    CHECK(library);
    return dlsym(library, symbol);
}

#define NVML(symbol, ...) ((__typeof__(&symbol))nvml_function(#symbol))(__VA_ARGS__)

/* A context is enough: it need not hold a byte. */
TEST(an_instance_is_in_use_while_a_process_has_a_context_there)
{
    char path[160];
    nvmlDevice_t card;
    nvmlGpuInstance_t gpu;
    nvmlComputeInstance_t compute;
    cut_card();
    snprintf(path, sizeof path, "%s/cards", test_folder);
    setenv("HAMI_FAKE_DRIVER", path, 1);
    CHECK_EQUAL(NVML(nvmlInit_v2), 0);
    CHECK_EQUAL(NVML(nvmlDeviceGetHandleByIndex_v2, 0, &card), 0);
    CHECK_EQUAL(NVML(nvmlDeviceGetGpuInstanceById, card, 11, &gpu), 0);
    CHECK_EQUAL(NVML(nvmlGpuInstanceGetComputeInstanceById, gpu, 0, &compute), 0);
    struct client client = client_start("NVIDIA_VISIBLE_DEVICES=" ONE);
    expect(&client, "start 0", "0");
    nvmlProcessInfo_t processes[4];
    unsigned int count = 4;
    CHECK_EQUAL(NVML(nvmlDeviceGetComputeRunningProcesses_v3, card, &count, processes), 0);
    CHECK_EQUAL(count, 1);
    CHECK_EQUAL(processes[0].pid, client.pid);
    CHECK_EQUAL(processes[0].gpuInstanceId, 11);
    CHECK_EQUAL(processes[0].computeInstanceId, 0);
    CHECK_EQUAL(NVML(nvmlComputeInstanceDestroy, compute), 19);
    CHECK_EQUAL(NVML(nvmlGpuInstanceDestroy, gpu), 19);
    client_kill(&client);
    CHECK_EQUAL(NVML(nvmlGpuInstanceDestroy, gpu), 19); /* it has a compute instance */
    CHECK_EQUAL(NVML(nvmlComputeInstanceDestroy, compute), 0);
    CHECK_EQUAL(NVML(nvmlGpuInstanceDestroy, gpu), 0);
    CHECK_EQUAL(NVML(nvmlDeviceGetGpuInstanceById, card, 11, &gpu), 6);
}
