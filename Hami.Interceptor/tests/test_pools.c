/* Stream-ordered memory: what the pretended driver truly gave out is what we wrote down, and never beyond the limit. */
#include <stdio.h>

#include "books.h"

#define CHUNK (32 * MIB) /* by which pools grow */

TEST(a_pool_is_charged_with_what_it_keeps_not_with_what_was_asked_for)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long pool = made(&client, "pool-default 0");
    unsigned long long first = made(&client, "async 1");
    CHECK_BOOKS(0, CHUNK);
    unsigned long long second = made(&client, "async 1048576");
    CHECK_BOOKS(0, CHUNK);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", first), 0);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", second), 0);
    CHECK_BOOKS(0, CHUNK);
    unsigned long long third = made(&client, "async 67108865");
    CHECK_BOOKS(0, 4 * CHUNK);
    CHECK_EQUAL(ask_number(&client, "pool-forget-high %llx", pool), 0);
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 0);
    CHECK_BOOKS(0, 3 * CHUNK);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", third), 0);
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 134217728", pool), 0);
    CHECK_BOOKS(0, 3 * CHUNK);
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 0);
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(pooled_memory_beyond_the_limit_is_refused_with_the_cards_own_code)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    unsigned long long pool = made(&client, "pool-make 0");
    made(&client, "async 33554432");
    unsigned long long pointers[3];
    char question[64];
    snprintf(question, sizeof question, "pool-alloc %llx 33554432", pool);
    for (int i = 0; i < 3; i++)
        pointers[i] = made(&client, question);
    expect(&client, "async 1", "2 0");
    expect(&client, question, "2 0");
    expect(&client, "alloc 1", "2 0");
    CHECK_BOOKS(0, 128 * MIB);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointers[0]), 0);
    pointers[0] = made(&client, question); /* from what the pool has kept */
    CHECK_EQUAL(ask_number(&client, "free %llx", pointers[0]), 0);
    made(&client, "async 1"); /* what one pool keeps without need is there for another */
    CHECK_BOOKS(0, 128 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&client);
}

TEST(what_pools_keep_is_given_back_before_anything_is_refused)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    unsigned long long pool = made(&client, "pool-default 0");
    CHECK_EQUAL(ask_number(&client, "pool-threshold %llx 18446744073709551615", pool), 0);
    unsigned long long pointer = made(&client, "async 134217728");
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_BOOKS(0, 128 * MIB);
    uint64_t plain = allocate(&client, 128 * MIB);
    CHECK_BOOKS(0, 128 * MIB);
    expect(&client, "async 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)plain), 0);
    made(&client, "async 1");
    made(&client, "array 2048 2048 0x20 4");
    CHECK_BOOKS(0, 96 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&client);
}

TEST(a_pool_that_shrank_behind_our_back_is_seen_by_the_watcher)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long pointer = made(&client, "async 134217728");
    uint64_t plain = allocate(&client, 1);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_BOOKS(0, 128 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)plain), 0); /* a synchronisation */
    CHECK_EQUAL(ledger_bytes(0), 0);
    for (int i = 0; i < 1000 && books_bytes(0) != 0; i++)
        pause_briefly();
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

/* The second process is not the container's watcher. */
TEST(what_a_pool_gives_back_at_a_synchronisation_is_there_for_others)
{
    struct client one = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    allocate(&one, 1);
    struct client two = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    unsigned long long pointer = made(&two, "async 100000000");
    CHECK_EQUAL(ask_number(&two, "free-async %llx", pointer), 0);
    expect(&one, "alloc 134217727", "2 0");
    expect(&two, "synchronise", "0");
    CHECK_BOOKS(0, 1);
    allocate(&one, 128 * MIB - 1);
    client_end(&one);
    client_end(&two);
}

TEST(any_way_to_free_ends_at_nothing)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long pool = made(&client, "pool-make 0");
    char question[64];
    snprintf(question, sizeof question, "pool-alloc %llx 1048576", pool);
    CHECK_EQUAL(ask_number(&client, "free %llx", made(&client, question)), 0);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", made(&client, question)), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", made(&client, "async 5")), 0);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", (unsigned long long)allocate(&client, 7)), 0);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", made(&client, "managed 7")), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", made(&client, "async 5")), 0); /* and synchronises */
    CHECK_EQUAL(ask_number(&client, "pool-end %llx", pool), 0);
    CHECK_EQUAL(ask_number(&client, "pool-end %llx", pool), 1);
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(a_destroyed_pool_is_charged_until_its_last_pointer_is_freed)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long pool = made(&client, "pool-make 0"), pointers[2];
    char question[64];
    snprintf(question, sizeof question, "pool-alloc %llx 33554432", pool);
    for (int i = 0; i < 2; i++)
        pointers[i] = made(&client, question);
    CHECK_EQUAL(ask_number(&client, "pool-use 0 %llx", pool), 0);
    CHECK_EQUAL(ask_number(&client, "pool-end %llx", pool), 0);
    CHECK_BOOKS(0, 2 * CHUNK);
    made(&client, "async 1"); /* from the device's own again */
    CHECK_BOOKS(0, 3 * CHUNK);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(ask_number(&client, "free-async %llx", pointers[i]), 0);
    CHECK_BOOKS(0, CHUNK);
    client_end(&client);
}

TEST(a_pool_set_for_a_device_is_the_one_charged_and_the_hosts_takes_nothing)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=64m");
    unsigned long long pool = made(&client, "pool-make 0"), other = made(&client, "pool-make 1");
    unsigned long long host = made(&client, "pool-make -1");
    char question[64];
    made(&client, "async 1");
    CHECK_EQUAL(ask_number(&client, "pool-use 0 %llx", pool), 0);
    made(&client, "async 1");
    CHECK_BOOKS(0, 2 * CHUNK);
    snprintf(question, sizeof question, "pool-alloc %llx 33554433", other);
    made(&client, question);
    CHECK_BOOKS(1, 2 * CHUNK);
    expect(&client, question, "2 0");
    snprintf(question, sizeof question, "pool-alloc %llx 1073741824", host);
    unsigned long long pointer = made(&client, question);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_BOOKS(0, 2 * CHUNK);
    CHECK_BOOKS(1, 2 * CHUNK);
    client_end(&client);
}

TEST(memory_of_a_stream_is_charged_to_the_card_of_the_stream)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1m CUDA_DEVICE_MEMORY_LIMIT_1=64m");
    expect(&client, "start 1", "0");
    made(&client, "async-on 1 1");
    expect(&client, "start 0", "0");
    made(&client, "async-on 1 33554432");
    expect(&client, "async-on 1 33554432", "2 0");
    expect(&client, "async 1", "2 0");
    CHECK_BOOKS(0, 0);
    CHECK_BOOKS(1, 64 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(1), 64 * MIB);
    client_end(&client);
}

/* HAMI_FAKE_CHUNK: another driver may have another unit; it shows in what a pool grows by. */
TEST(the_unit_by_which_pools_grow_is_learnt)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=64m HAMI_FAKE_CHUNK=2");
    unsigned long long pool = made(&client, "pool-default 0");
    made(&client, "async 1");
    CHECK_BOOKS(0, 2 * MIB);
    made(&client, "async 65011712"); /* all but those two */
    CHECK_BOOKS(0, 64 * MIB);
    expect(&client, "async 4194304", "2 0");
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 0);
    CHECK_EQUAL(ledger_peak_bytes(0), 64 * MIB);
    client_end(&client);
}

TEST(growth_that_was_not_foreseen_is_undone_and_refused)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m HAMI_FAKE_CHUNK=256");
    expect(&client, "async 1", "2 0");
    CHECK_BOOKS(0, 0);
    allocate(&client, 128 * MIB);
    client_end(&client);
}

TEST(a_driver_that_does_not_say_what_pools_keep_is_charged_by_what_is_asked)
{
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_FAIL=cuMemPoolGetAttribute:0:1");
    unsigned long long pointer = made(&client, "async 1048576");
    CHECK_EQUAL(books_bytes(0), MIB);
    expect(&client, "async 1073741824", "2 0");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_EQUAL(books_bytes(0), 0);
    client_end(&client);
}

TEST(when_the_driver_refuses_pooled_memory_the_promise_is_given_back)
{
    struct client client =
        started("CUDA_DEVICE_MEMORY_LIMIT_0=64m HAMI_FAKE_FAIL=cuMemAllocAsync:1:999,cuMemFreeAsync:1:700");
    expect(&client, "async 67108864", "999 0");
    CHECK_BOOKS(0, 0);
    unsigned long long pointer = made(&client, "async 67108864");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 700);
    expect(&client, "async 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    made(&client, "async 1");
    CHECK_BOOKS(0, 64 * MIB);
    client_end(&client);
}

TEST(pools_of_two_processes_share_one_budget)
{
    struct client one = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m"), two = started("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    made(&one, "async 100000000");
    made(&two, "async 1");
    expect(&two, "async 33554432", "2 0");
    CHECK_BOOKS(0, 128 * MIB);
    client_kill(&one);
    made(&two, "async 33554432");
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&two);
}
