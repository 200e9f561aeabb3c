/* Arrays: what the pretended driver truly gave out is what we wrote down, and never beyond the limit. */
#include <stdio.h>

#include "books.h"

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
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=256m");
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
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
    struct client client = started("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
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
        started("CUDA_DEVICE_MEMORY_LIMIT_0=1g "
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
