/* HAMi's other switches. */
#define _GNU_SOURCE
#include "testing.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- oversubscription ---- */

TEST(memory_beyond_the_card_is_managed_memory_where_oversubscription_is_asked_for)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_1=32g CUDA_OVERSUBSCRIBE=true");
    unsigned long long pitched;
    expect(&client, "start 1", "0"); /* a card of 16 GiB */
    expect(&client, "total 1", "0 34359738368");
    expect(&client, "nvml 1", "0 total 34359738368 used 0 free 34359738368");
    allocate(&client, 15 * GIB);
    expect(&client, "pitch 1 1 3", "1 0");
    uint64_t more = allocate(&client, 15 * GIB);
    expect(&client, "info", "0 free 2147483648 total 34359738368");
    CHECK(sscanf(ask(&client, "pitch 513 2097152 4"), "0 %llx", &pitched) ==
          1);                          /* rows of 1024 bytes: the last 2 GiB */
    expect(&client, "alloc 1", "2 0"); /* the limit is the limit */
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)more), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", pitched), 0);
    expect(&client, "info", "0 free 18253611008 total 34359738368");
    expect(&client, "async 4294967296", "2 0"); /* pools have no managed memory to offer */
    expect(&client, "create 4294967296 1", "2 0");
    client_end(&client);
}

TEST(without_oversubscription_a_full_card_is_full)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_1=32g CUDA_OVERSUBSCRIBE=false");
    expect(&client, "start 1", "0");
    expect(&client, "total 1", "0 17179869184");
    allocate(&client, 15 * GIB);
    expect(&client, "alloc 16106127360", "2 0");
    expect(&client, "pitch 513 2097152 4", "2 0");
    client_end(&client);
}

/* ---- the OOM killer ---- */

static bool ends_by_itself(pid_t pid, int milliseconds)
{
    int status;
    for (; milliseconds > 0; milliseconds -= 10, usleep(10000))
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return false;
}

/* Two contexts that nobody asked for by size: 2 x 600 MiB, of 1 GiB. */
#define OVER "CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=600 "

TEST(a_container_that_stays_over_its_limit_loses_its_largest_process_where_that_is_asked_for)
{
    struct client small = client_start(OVER "ACTIVE_OOM_KILLER=true");
    expect(&small, "start 0", "0");
    struct client large = client_start(OVER "ACTIVE_OOM_KILLER=true");
    expect(&large, "init", "0");
    allocate(&small, 1); /* somebody watches */
    expect(&large, "start 0", "0");
    expect(&large, "context 0", "0");
    CHECK(ends_by_itself(large.pid, 30000));
    usleep(800000);
    expect(&small, "info", "0 free 444596223 total 1073741824"); /* alone it is within the limit, and lives */
    client_end(&small);
}

TEST(nobody_is_ended_unasked)
{
    struct client client = client_start(OVER);
    expect(&client, "start 0", "0");
    expect(&client, "context 0", "0");
    CHECK(!ends_by_itself(client.pid, 1500));
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
}

/* ---- standing back ---- */

TEST(where_the_driver_keeps_the_limits_we_count_and_refuse_nothing)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_MEMORY_ENFORCEMENT=driver");
    char path[160];
    expect(&client, "start 0", "0");
    allocate(&client, 2 * GIB);
    expect(&client, "total 0", "0 42949672960");
    expect(&client, "info", "0 free 40802189312 total 42949672960");
    expect(&client, "nvml 0", "0 total 42949672960 used 2147483648 free 40802189312");
    snprintf(path, sizeof path, "%s/region", test_folder);
    CHECK_EQUAL(region_look(path)->processes[0].used[0].total_bytes, 2 * GIB);
    CHECK_EQUAL(region_look(path)->limit_bytes[0], GIB);
    client_end(&client);
    client = client_start(grant("hami-limits 1\ncard " CARD_0 " memory 1g\nmemory driver\nend\n"));
    expect(&client, "start 0", "0");
    allocate(&client, 2 * GIB);
    expect(&client, "total 0", "0 42949672960");
    client_end(&client);
}

/* ---- log levels ---- */

TEST(log_levels_tell_what_is_granted_and_what_is_refused)
{
    char output[2048], line[512];
    static const char *const quiet[] = {"", "LIBCUDA_LOG_LEVEL=0", "LIBCUDA_LOG_LEVEL=1", "LIBCUDA_LOG_LEVEL=2"};
    for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
        snprintf(line, sizeof line, "CUDA_DEVICE_MEMORY_LIMIT_0=1g %s", quiet[i]);
        CHECK_EQUAL(run(line, "$BUILD/bin/lab-cuda alloc 1025", output, sizeof output), 2);
        CHECK(strcmp(output, "CUDA_ERROR_OUT_OF_MEMORY\n") == 0);
    }
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_SM_LIMIT=30 LIBCUDA_LOG_LEVEL=3",
                    "$BUILD/bin/lab-cuda alloc 1025", output, sizeof output),
                2);
    snprintf(line, sizeof line, "hami: granted by the environment: device 0: 1073741824 bytes, 30 %%; device 1: ");
    CHECK(strstr(output, line) && !strstr(output, "refused"));
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=1g LIBCUDA_LOG_LEVEL=4", "$BUILD/bin/lab-cuda alloc 1025", output,
                    sizeof output),
                2);
    CHECK(strstr(output, "hami: 1074790400 bytes of device 0 are refused: 0 of 1073741824 are in use.\n"));
    snprintf(line, sizeof line, "%s LIBCUDA_LOG_LEVEL=3",
             grant("hami-limits 1\ncard " CARD_0 " memory 1g cores 7\nend"));
    CHECK_EQUAL(run(line, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    CHECK(strstr(output, "hami: granted by the limits file: device 0: 1073741824 bytes, 7 %; region "));
}
