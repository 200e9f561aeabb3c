/* What the driver counts beyond what passed through our wrappers: contexts, and memory taken by other ways. */
#define _GNU_SOURCE
#include "testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

TEST(a_context_is_charged_as_soon_as_it_is_there)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=500");
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 549453824 total 1073741824");
    expect(&client, "nvml 0", "0 total 1073741824 used 524288000 free 549453824");
    expect(&client, "alloc 549453825", "2 0");
    uint64_t pointer = allocate(&client, 549453824);
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    expect(&client, "context 0", "0");
    expect_soon(&client, "info", "0 free 25165824 total 1073741824");
    client_end(&client);
}

TEST(a_context_that_is_gone_is_not_charged_any_more)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=500");
    expect(&client, "start 0", "0");
    expect(&client, "context 0", "0");
    expect(&client, "destroy", "0");
    expect(&client, "start 0", "0");
    expect_soon(&client, "info", "0 free 549453824 total 1073741824");
    allocate(&client, 549453824);
    client_end(&client);
}

TEST(the_contexts_of_all_processes_are_charged)
{
    const char *settings = "CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=300";
    struct client one = client_start(settings), other = client_start(settings);
    expect(&one, "start 0", "0");
    expect(&other, "start 0", "0");
    expect(&one, "info", "0 free 444596224 total 1073741824");
    client_kill(&other);
    expect(&one, "info", "0 free 759169024 total 1073741824");
    client_end(&one);
}

TEST(memory_taken_behind_our_back_is_charged_and_what_was_refused_for_it_is_given_again_after)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=24");
    expect(&client, "start 0", "0");
    uint64_t pointer = allocate(&client, 600 * MIB);
    expect(&client, "behind 314572800", "0");
    expect_soon(&client, "info", "0 free 104857600 total 1073741824");
    expect(&client, "alloc 104857601", "2 0");
    allocate(&client, 100 * MIB);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    allocate(&client, 600 * MIB);
    client_end(&client);
}

static int threads_of(pid_t pid)
{
    char path[64], line[256];
    int threads = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        sscanf(line, "Threads: %d", &threads);
    fclose(file);
    return threads;
}

TEST(one_process_of_a_container_watches_and_without_a_limit_none)
{
    struct client free_one = client_start("HAMI_FAKE_CONTEXT=500");
    expect(&free_one, "start 0", "0");
    allocate(&free_one, MIB);
    CHECK_EQUAL(threads_of(free_one.pid), 1);
    client_end(&free_one);

    const char *settings = "CUDA_DEVICE_MEMORY_LIMIT_0=1g";
    struct client one = client_start(settings), other = client_start(settings);
    expect(&one, "start 0", "0");
    CHECK_EQUAL(threads_of(one.pid), 2);
    expect(&other, "start 0", "0");
    allocate(&other, MIB);
    CHECK_EQUAL(threads_of(other.pid), 1);
    client_kill(&one);
    for (int i = 0; i < 3000 && threads_of(other.pid) == 1; i++) {
        usleep(10000);
        CHECK_EQUAL(ask_number(&other, "free %llx", (unsigned long long)allocate(&other, MIB)), 0);
    }
    CHECK_EQUAL(threads_of(other.pid), 2);
    client_end(&other);
}

/* Memory comes and goes at full speed while the driver is asked; nobody is refused what is free. */
TEST(what_comes_and_goes_is_never_taken_for_unseen)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=24");
    expect(&client, "start 0", "0");
    expect(&client, "hammer 4 20000 30000000", "wrong 0 refused 0");
    expect(&client, "info", "0 free 1048576000 total 1073741824");
    client_end(&client);
}
