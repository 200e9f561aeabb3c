#include "testing.h"

#include <stdio.h>

TEST(wrong_arguments_give_what_the_bare_driver_gives)
{
    static const char *const questions[] = {
        "alloc 1",
        "alloc-to-null 1",
        "free 0",
        "free 1234",
        "info",
        "total 0", /* before cuInit */
        "init",
        "alloc 1",
        "free 1234",
        "info",
        "managed 1",
        "async 1", /* no context */
        "start 0",
        "alloc-to-null 1",
        "alloc 0",
        "free 0",
        "free 1234",
        "free ffffffffffffffff",
        "total 77",
        "total-to-null 0",
        "info-to-null",
        "pitch 0 0 4",
        "pitch 1 1 3",
        "managed 0",
        "async 0",
        "free-async 0",
        "free-async 1234",
        "alloc-to-null 0",
        "no-context",
        "alloc 1",
        "free 1234",
        "nvml 99",
    };
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT=1g"), bare = client_start_bare("");
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        char answer[512];
        snprintf(answer, sizeof answer, "%s", ask(&bare, "%s", questions[i]));
        if (i == 5) /* total 0 before cuInit */
            CHECK(answer[0] == '3');
        expect(&client, questions[i], answer);
    }
    client_end(&client);
    client_end(&bare);
}

TEST(freeing_twice_is_the_drivers_error_and_gives_nothing_back_twice)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT=1g");
    expect(&client, "start 0", "0");
    uint64_t pointer = allocate(&client, GIB / 2);
    allocate(&client, GIB / 2);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 1);
    expect(&client, "info", "0 free 536870912 total 1073741824");
    client_end(&client);
}

TEST(when_the_driver_refuses_the_charge_is_given_back)
{
    struct client client =
        client_start("CUDA_DEVICE_MEMORY_LIMIT=1g HAMI_FAKE_FAIL=cuMemAlloc_v2:1:2,cuMemAlloc_v2:2:999");
    expect(&client, "start 0", "0");
    expect(&client, "alloc 1073741824", "2 0");
    expect(&client, "alloc 1073741824", "999 0");
    allocate(&client, GIB);
    client_end(&client);
}

TEST(when_the_driver_fails_to_free_the_charge_stays)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT=1g HAMI_FAKE_FAIL=cuMemFree_v2:1:700");
    expect(&client, "start 0", "0");
    uint64_t pointer = allocate(&client, GIB);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 700);
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    allocate(&client, GIB);
    client_end(&client);
}

TEST(what_cannot_be_charged_to_a_card_is_not_given)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT=1g HAMI_FAKE_FAIL=cuDeviceGetUuid_v2:0:999");
    expect(&client, "start 0", "0");
    expect(&client, "alloc 1", "999 0");
    expect(&client, "create 2147483648 0", "999 0");
    client_end(&client);
}
