/* No family of memory escapes: what the pretended driver truly gave out is what we wrote down, and never beyond the
 * limit. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "books.h"

#define CHUNK (32 * MIB) /* by which pools grow */

static unsigned long long made(struct client *client, const char *question)
{
    unsigned long long handle = 0;
    const char *answer = ask(client, "%s", question);
    if (sscanf(answer, "0 %llx", &handle) != 1)
        FAIL("\"%s\" gave \"%s\"", question, answer);
    return handle;
}

static struct client start(const char *settings)
{
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    return client;
}

/* ---- arrays ---- */

/* Every CUarray_format: bytes of 64 by 64 elements with as many channels as it takes. */
static const struct {
    int format, channels, bytes;
} formats[] = {
    {0x01, 1, 4096},  {0x01, 4, 16384}, {0x02, 2, 16384}, {0x03, 4, 65536}, {0x08, 2, 8192}, {0x09, 1, 8192},
    {0x0a, 1, 16384}, {0x10, 4, 32768}, {0x20, 1, 16384}, {0x20, 4, 65536}, {0xc0, 1, 4096}, {0xc1, 2, 8192},
    {0xc2, 4, 16384}, {0xc3, 1, 8192},  {0xc4, 2, 16384}, {0xc5, 4, 32768}, {0xc6, 1, 4096}, {0xc7, 2, 8192},
    {0xc8, 4, 16384}, {0xc9, 1, 8192},  {0xca, 2, 16384}, {0xcb, 4, 32768}, {0x91, 4, 2048}, {0x92, 4, 2048},
    {0x93, 4, 4096},  {0x96, 4, 4096},  {0x97, 1, 2048},  {0x98, 1, 2048},  {0x99, 2, 4096}, {0x9a, 2, 4096},
    {0x9c, 4, 4096},  {0x9e, 4, 4096},
};

TEST(arrays_of_every_format_are_charged_with_what_they_take)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    allocate(&client, 1);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char question[96];
        snprintf(question, sizeof question, "array 64 64 %d %d", formats[i].format, formats[i].channels);
        unsigned long long array = made(&client, question);
        if (books_bytes(0) != (uint64_t)formats[i].bytes + 1 || ledger_bytes(0) != books_bytes(0))
            FAIL("format %#x: books %llu, driver %llu", formats[i].format, (unsigned long long)books_bytes(0),
                 (unsigned long long)ledger_bytes(0));
        CHECK_EQUAL(ask_number(&client, "array-free %llx", array), 0);
        CHECK_BOOKS(0, 1);
    }
    client_end(&client);
}

TEST(arrays_of_every_shape_are_charged_refused_and_given_back)
{
    static const struct {
        const char *shape;
        uint64_t bytes;
    } arrays[] = {
        {"array 1000 0 0x20 1", 4096},                 /* one row: 4000 bytes in tiles of 512 */
        {"array 1000 1 0x20 1", 4096},                 /* */
        {"array 100 9 1 1", 128 * 16},                 /* padded both ways */
        {"array3d 64 64 64 1 4 0", 64 * 64 * 64 * 4},  /* */
        {"array3d 64 0 8 1 4 1", 64 * 4 * 8},          /* layers of one row */
        {"array3d 64 64 6 1 4 4", 64 * 64 * 6 * 4},    /* a cubemap */
        {"array3d 64 64 12 1 4 5", 64 * 64 * 12 * 4},  /* two of them, layered */
        {"array3d 64 64 64 1 4 0x40", 0},              /* sparse */
        {"array3d 64 64 64 1 4 0x80", 0},              /* mapped later */
        {"array-v1 64 64 0 0x20 4", 64 * 64 * 16},     /* of CUDA before 3.2 */
        {"array-v1 64 64 4 0x20 4", 64 * 64 * 16 * 4}, /* */
        {"array 4096 4096 0x20 4", 4096 * 4096 * 16},  /* 256 MiB */
    };
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=256m");
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        unsigned long long array = made(&client, arrays[i].shape);
        CHECK_BOOKS(0, arrays[i].bytes);
        CHECK_EQUAL(ask_number(&client, "array-free %llx", array), 0);
        CHECK_EQUAL(ask_number(&client, "array-free %llx", array), 1);
        CHECK_BOOKS(0, 0);
    }
    allocate(&client, 1);
    expect(&client, "array 4096 4096 0x20 4", "2 0");
    expect(&client, "array3d 4096 4096 1 0x20 4 0", "2 0");
    expect(&client, "array-v1 4096 4096 0 0x20 4", "2 0");
    expect(&client, "mipmap 4096 4096 0 0x20 4 0 1", "2 0");
    expect(&client, "array 64 64 1 3", "1 0");
    expect(&client, "array 18446744073709551615 18446744073709551615 0x20 4", "2 0");
    expect(&client, "array 1 1 0x7ffffff0 4", "1 0");
    CHECK_BOOKS(0, 1);
    client_end(&client);
}

TEST(mipmapped_arrays_are_charged_with_all_their_levels)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    const uint64_t five = 4096 + 32 * 64 + 16 * 64 + 8 * 64 + 8 * 64; /* 64, 32, 16, 8, 4: rows of 64 bytes */
    unsigned long long mipmap = made(&client, "mipmap 64 64 0 1 1 0 5");
    CHECK_BOOKS(0, five);
    CHECK_EQUAL(ask_number(&client, "mipmap-free %llx", mipmap), 0);
    mipmap = made(&client, "mipmap 64 64 0 1 1 0 99"); /* seven there are */
    CHECK_BOOKS(0, (five + 8 * 64 + 64 + 511) / 512 * 512);
    CHECK_EQUAL(ask_number(&client, "array-free %llx", mipmap), 1);
    CHECK_EQUAL(ask_number(&client, "mipmap-free %llx", mipmap), 0);
    made(&client, "mipmap 64 64 8 1 1 0 2"); /* eight deep, then four */
    CHECK_BOOKS(0, 4096 * 8 + 2048 * 4);
    made(&client, "mipmap 64 64 8 1 1 1 2"); /* eight layers each */
    CHECK_BOOKS(0, 4096 * 8 + 2048 * 4 + 4096 * 8 + 2048 * 8);
    client_end(&client);
}

TEST(arrays_end_with_their_context_and_are_no_pointers)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "context 0", "0");
    unsigned long long array = made(&client, "array 1024 1024 0x20 4");
    made(&client, "mipmap 1024 1024 0 0x20 4 0 1");
    CHECK_EQUAL(ask_number(&client, "free %llx", array), 1);
    CHECK_EQUAL(ask_number(&client, "array-free %llx", (unsigned long long)allocate(&client, MIB)), 1);
    CHECK_BOOKS(0, 33 * MIB);
    expect(&client, "destroy", "0");
    CHECK_BOOKS(0, 0);
    expect(&client, "start 0", "0");
    made(&client, "array 1024 1024 0x20 4");
    expect(&client, "primary-reset 0", "0");
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(an_array_the_driver_refuses_or_fails_to_destroy_is_charged_rightly)
{
    struct client client =
        start("CUDA_DEVICE_MEMORY_LIMIT_0=1g "
              "HAMI_FAKE_FAIL=cuArrayCreate_v2:1:2,cuMipmappedArrayCreate:1:999,cuArrayDestroy:1:700");
    expect(&client, "array 64 64 1 1", "2 0");
    expect(&client, "mipmap 64 64 0 1 1 0 2", "999 0");
    CHECK_EQUAL(books_bytes(0), 0);
    unsigned long long array = made(&client, "array 64 64 1 1");
    CHECK_EQUAL(ask_number(&client, "array-free %llx", array), 700);
    CHECK_BOOKS(0, 4096);
    CHECK_EQUAL(ask_number(&client, "array-free %llx", array), 0);
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

/* ---- pools ---- */

TEST(a_pool_is_charged_with_what_it_keeps_not_with_what_was_asked_for)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client one = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    allocate(&one, 1);
    struct client two = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=64m");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1m CUDA_DEVICE_MEMORY_LIMIT_1=64m");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=64m HAMI_FAKE_CHUNK=2");
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
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m HAMI_FAKE_CHUNK=256");
    expect(&client, "async 1", "2 0");
    CHECK_BOOKS(0, 0);
    allocate(&client, 128 * MIB);
    client_end(&client);
}

TEST(a_driver_that_does_not_say_what_pools_keep_is_charged_by_what_is_asked)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_FAIL=cuMemPoolGetAttribute:0:1");
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
        start("CUDA_DEVICE_MEMORY_LIMIT_0=64m HAMI_FAKE_FAIL=cuMemAllocAsync:1:999,cuMemFreeAsync:1:700");
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
    struct client one = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m"), two = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    made(&one, "async 100000000");
    made(&two, "async 1");
    expect(&two, "async 33554432", "2 0");
    CHECK_BOOKS(0, 128 * MIB);
    client_kill(&one);
    made(&two, "async 33554432");
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&two);
}

/* ---- graphs ---- */

static unsigned long long made_of(struct client *client, const char *format, ...)
{
    char question[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(question, sizeof question, format, arguments);
    va_end(arguments);
    return made(client, question);
}

TEST(memory_of_graphs_is_charged_from_the_launch_to_the_trim)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long graph = made(&client, "graph");
    unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", graph);
    unsigned long long exec = made_of(&client, "instantiate %llx 0", graph);
    allocate(&client, 1);
    CHECK_BOOKS(0, 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 1); /* not before what it left is freed */
    expect(&client, "graph-trim 0", "0");
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", pointer), 0);
    CHECK_EQUAL(ask_number(&client, "exec-end %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB + 1);
    expect(&client, "graph-trim 0", "0");
    CHECK_BOOKS(0, 1);
    client_end(&client);
}

TEST(a_graph_whose_memory_does_not_fit_is_not_launched)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=128m");
    unsigned long long graph = made(&client, "graph"), larger = made(&client, "graph");
    made_of(&client, "graph-alloc %llx 67108864 0", graph);
    made_of(&client, "graph-alloc %llx 134217729 0", larger);
    unsigned long long exec = made_of(&client, "instantiate-old %llx", graph);
    unsigned long long never = made_of(&client, "instantiate %llx 0", larger);
    unsigned long long plain = allocate(&client, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 2);
    CHECK_EQUAL(ask_number(&client, "launch-per-thread %llx", exec), 2);
    CHECK_EQUAL(ask_number(&client, "upload %llx", exec), 2);
    char question[64];
    snprintf(question, sizeof question, "instantiate %llx 2", graph); /* uploads at once */
    expect(&client, question, "2 0");
    snprintf(question, sizeof question, "instantiate-with %llx 2", graph);
    expect(&client, question, "2 0");
    CHECK_BOOKS(0, 64 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free %llx", plain), 0);
    CHECK_EQUAL(ask_number(&client, "launch %llx", never), 2);
    CHECK_EQUAL(ask_number(&client, "upload %llx", exec), 0);
    CHECK_EQUAL(ask_number(&client, "launch-per-thread %llx", exec), 0);
    CHECK_BOOKS(0, 64 * MIB);
    unsigned long long second = made_of(&client, "instantiate-with %llx 0", graph);
    CHECK_EQUAL(ask_number(&client, "exec-end %llx", second), 0);
    allocate(&client, 64 * MIB);
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ledger_peak_bytes(0), 128 * MIB);
    client_end(&client);
}

TEST(graphs_share_what_they_do_not_use_at_the_same_time)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    unsigned long long exec[3];
    for (int i = 0; i < 3; i++) { /* each frees one half before it takes the other */
        unsigned long long graph = made(&client, "graph"), child = made(&client, "graph");
        for (int half = 0; half < 2; half++) {
            unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", child);
            CHECK_EQUAL(ask_number(&client, "graph-free %llx %llx", child, pointer), 0);
        }
        CHECK_EQUAL(ask_number(&client, "graph-child %llx %llx", graph, child), 0);
        exec[i] = made_of(&client, "instantiate %llx 0", graph);
    }
    for (int round = 0; round < 9; round++)
        CHECK_EQUAL(ask_number(&client, "launch %llx", exec[round % 3]), 0);
    CHECK_BOOKS(0, 64 * MIB);
    allocate(&client, 64 * MIB); /* what graphs keep is given back before anything is refused */
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec[0]), 2);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 64 * MIB);
    client_end(&client);
}

TEST(what_a_graph_leaves_is_not_lent_to_another)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=96m");
    unsigned long long freeing = made(&client, "graph"), leaving = made(&client, "graph");
    unsigned long long pointer = made_of(&client, "graph-alloc %llx 67108864 0", freeing);
    CHECK_EQUAL(ask_number(&client, "graph-free %llx %llx", freeing, pointer), 0);
    made_of(&client, "graph-alloc %llx 67108864 0", leaving);
    unsigned long long first = made_of(&client, "instantiate %llx 0", freeing);
    unsigned long long second = made_of(&client, "instantiate %llx 0", leaving);
    CHECK_EQUAL(ask_number(&client, "launch %llx", first), 0);
    CHECK_EQUAL(ask_number(&client, "launch %llx", second), 0);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ask_number(&client, "launch %llx", first), 2);
    CHECK_BOOKS(0, 64 * MIB);
    CHECK_EQUAL(ledger_peak_bytes(0), 64 * MIB);
    client_end(&client);
}

TEST(what_is_asked_of_a_captured_stream_is_charged_when_the_graph_runs)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    allocate(&client, 1);
    expect(&client, "capture 1", "0");
    unsigned long long kept = made(&client, "async-on 1 33554432");
    unsigned long long freed = made(&client, "async-on 1 16777216");
    CHECK_EQUAL(ask_number(&client, "free-on 1 %llx", freed), 0);
    unsigned long long beyond = made(&client, "async-on 1 1073741824"); /* a node, not memory */
    CHECK_EQUAL(ask_number(&client, "free-on 1 %llx", beyond), 0);
    CHECK_BOOKS(0, 1);
    unsigned long long graph = made(&client, "capture-end 1");
    unsigned long long exec = made_of(&client, "instantiate %llx 0", graph);
    CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 2);

    expect(&client, "capture 1", "0");
    kept = made(&client, "async-on 1 33554432");
    graph = made(&client, "capture-end 1");
    exec = made_of(&client, "instantiate %llx 1", graph); /* frees what it left when it runs again */
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(ask_number(&client, "launch %llx", exec), 0);
    CHECK_BOOKS(0, 32 * MIB + 1);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", kept), 0);
    unsigned long long plain = made(&client, "async-on 1 1"); /* captured no longer */
    CHECK_EQUAL(ask_number(&client, "free-async %llx", plain), 0);
    client_end(&client);
}

TEST(while_a_stream_is_captured_pools_are_still_made_to_give_back)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    unsigned long long pool = made(&client, "pool-make 0"), pointer = made(&client, "async 67108864");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    expect(&client, "capture 1", "0");
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 900); /* the program's own would be an error */
    pointer = made_of(&client, "pool-alloc %llx 67108864", pool);
    made(&client, "capture-end 1");
    CHECK_EQUAL(ask_number(&client, "pool-trim %llx 0", pool), 0);
    CHECK_BOOKS(0, 64 * MIB);
    client_end(&client);
}

/* ---- limits of a context ---- */

TEST(the_devices_heap_is_charged_refused_and_goes_with_its_context)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "limit 2", "0 8388608");
    allocate(&client, 1);
    expect(&client, "limit-set 2 1073741824", "0"); /* what it has belongs to the context */
    CHECK_BOOKS(0, GIB - 8 * MIB + 1);
    expect(&client, "limit-set 2 1082130433", "2");
    expect(&client, "limit 2", "0 1073741824");
    expect(&client, "alloc 8388608", "2 0");
    expect(&client, "limit-set 1 9437184", "2");
    expect(&client, "limit-set 2 536870912", "0");
    CHECK_BOOKS(0, 504 * MIB + 1);
    expect(&client, "limit-set 1 2097152", "0");
    CHECK_BOOKS(0, 505 * MIB + 1);
    expect(&client, "limit-set 2 1", "0");
    CHECK_BOOKS(0, MIB + 1);
    expect(&client, "limit-set 0 65536", "0"); /* the stack: not ours to count */
    expect(&client, "limit-set 2 67108864", "0");
    expect(&client, "context 0", "0");
    expect(&client, "limit-set 2 67108864", "0");
    CHECK_BOOKS(0, 2 * 56 * MIB + MIB + 1);
    expect(&client, "destroy", "0");
    CHECK_BOOKS(0, 56 * MIB + MIB + 1);
    expect(&client, "primary-release 0", "0");
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(a_heap_the_driver_refuses_is_not_charged)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_FAIL=cuCtxSetLimit:1:999,cuCtxGetLimit:3:1");
    expect(&client, "limit-set 2 67108864", "999");
    CHECK_EQUAL(books_bytes(0), 0);
    expect(&client, "limit-set 2 67108864", "0");
    CHECK_BOOKS(0, 56 * MIB);
    expect(&client, "no-context", "0");
    expect(&client, "limit-set 2 67108864", "201");
    client_end(&client);
}

/* ---- physical memory by handle ---- */

TEST(memory_imported_from_a_handle_is_charged_once_until_its_last_release)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    unsigned long long handle = made(&client, "create 1073741824 0");
    unsigned long long shared = made_of(&client, "export %llx", handle);
    unsigned long long again = made_of(&client, "import %llx", shared);
    CHECK_EQUAL(again, handle);
    CHECK_BOOKS(0, GIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", handle), 0);
    CHECK_BOOKS(0, GIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", again), 0);
    CHECK_BOOKS(0, 0);
    client_end(&client);
}

TEST(memory_of_the_host_by_handle_takes_nothing_of_a_card)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=1m");
    unsigned long long handle = made(&client, "create-host 1073741824");
    allocate(&client, MIB);
    CHECK_BOOKS(0, MIB);
    CHECK_EQUAL(ask_number(&client, "release %llx", handle), 0);
    expect(&client, "create-of-nothing", "1");
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
}

TEST(a_multicast_object_takes_nothing_and_keeps_what_is_bound_to_it)
{
    struct client client = start("CUDA_DEVICE_MEMORY_LIMIT_0=6m CUDA_DEVICE_MEMORY_LIMIT_1=2m");
    unsigned long long object = made(&client, "multicast 4194304");
    unsigned long long first = made(&client, "create 2097152 0"), other = made(&client, "create 2097152 1");
    unsigned long long second = made(&client, "create 2097152 0"), address = made(&client, "reserve 8388608");
    expect(&client, "create 2097153 0", "2 0");
    CHECK_EQUAL(ask_number(&client, "map %llx 2097152 %llx", address, second), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind %llx 0 %llx 2097152", object, first), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind %llx 0 %llx 2097152", object, other), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-bind-address %llx 2097152 %llx 2097152", object, address), 0);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 2097152", address), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", first), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", second), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", other), 0);
    CHECK_BOOKS(0, 4 * MIB);
    CHECK_BOOKS(1, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "multicast-unbind %llx 0 0 2097152", object), 0);
    CHECK_EQUAL(ask_number(&client, "multicast-unbind %llx 0 0 2097152", object), 1);
    CHECK_BOOKS(0, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "map %llx 4194304 %llx", address, object), 0);
    CHECK_EQUAL(ask_number(&client, "release %llx", object), 0);
    CHECK_BOOKS(0, 2 * MIB); /* mapped still */
    CHECK_BOOKS(1, 2 * MIB);
    CHECK_EQUAL(ask_number(&client, "unmap %llx 4194304", address), 0);
    CHECK_BOOKS(0, 0);
    CHECK_BOOKS(1, 0);
    client_end(&client);
}
