#include "testing.h"

#include <stdio.h>

#define ALL_FREE "0 free 1073741824 total 1073741824"
#define NONE_FREE "0 free 0 total 1073741824"

TEST(a_context_takes_its_memory_with_it)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    uint64_t kept = allocate(&client, 1);
    expect(&client, "context 0", "0");
    for (int i = 0; i < 1000; i++)
        allocate(&client, MIB);
    expect(&client, "destroy", "0");
    expect(&client, "destroy", "201");
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 1073741823 total 1073741824");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)kept), 0);
    expect(&client, "info", ALL_FREE);
    client_end(&client);
}

TEST(a_primary_context_takes_its_memory_with_its_last_reference)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    expect(&client, "primary-release 0", "0");
    expect(&client, "info", NONE_FREE);
    expect(&client, "primary-release 0", "0");
    expect(&client, "start 0", "0");
    expect(&client, "info", ALL_FREE);
    allocate(&client, GIB);
    expect(&client, "primary-reset 0", "0");
    expect(&client, "info", ALL_FREE);
    client_end(&client);
}

TEST(a_primary_context_that_comes_back_at_once_leaves_no_charge_behind)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "init", "0");
    expect(&client, "come-and-go 3000", "0");
    expect(&client, "start 0", "0");
    expect(&client, "info", ALL_FREE);
    client_end(&client);
}

TEST(physical_memory_is_charged_to_its_card_until_the_last_handle_and_mapping)
{
    unsigned long long handle, again, address;
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=2g");
    expect(&client, "start 0", "0");
    expect(&client, "create 1073741825 0", "2 0");
    CHECK(sscanf(ask(&client, "create 2147483648 1"), "0 %llx", &handle) == 1); /* not the current card's budget */
    expect(&client, "create 1 1", "2 0");
    expect(&client, "info", ALL_FREE);

    CHECK(sscanf(ask(&client, "create 1073741824 0"), "0 %llx", &handle) == 1);
    expect(&client, "alloc 1", "2 0");
    CHECK(sscanf(ask(&client, "reserve 2147483648"), "0 %llx", &address) == 1);
    CHECK_EQUAL(ask_number(&client, "map %llx 1073741824 %llx", address, handle), 0);
    CHECK_EQUAL(ask_number(&client, "map %llx 1073741824 %llx", address + GIB, handle), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", handle), 0);
    expect(&client, "info", NONE_FREE); /* mapped still */
    CHECK(sscanf(ask(&client, "retain %llx", address + 4096), "0 %llx", &again) == 1);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 2147483648", address), 0);
    expect(&client, "info", NONE_FREE); /* retained still */
    CHECK_EQUAL(ask_number(&client, "release %llx", again), 0);
    expect(&client, "info", ALL_FREE);
    CHECK_EQUAL(ask_number(&client, "release %llx", again), 1);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 2147483648", address), 1);
    expect(&client, "create 0 0", "1 0");
    expect(&client, "create 1 99", "101 0");
    client_end(&client);
}
