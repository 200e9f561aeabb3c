#include "testing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../library/settings.h"
#include "../library/warning.h"

/* settings.c is tried here by itself; the real one would print. */
void warn(const char *format, ...)
{
    (void)format;
}

TEST(sizes_are_digits_with_one_unit_and_nothing_else)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"3000m", 3000 * MIB}, {"2g", 2 * GIB},        {"2G", 2 * GIB}, {"1024k", MIB},
                {"1K", 1024},          {"12345", 12345},       {"0", 0},        {"010m", 10 * MIB},
                {"1Gi", GIB},          {"3000Mi", 3000 * MIB}, {"64ki", 65536}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",    "abc",  "m",    "1i",  "1GI",          "1GiB",
                                      "1ig", "1Gi ", "1gii", "4GB", "1t",           "-1",
                                      "-1g", "1.5g", " 2g",  "2g ", "1 g",          "0x10m",
                                      "50%", "1mm",  "1gk",  "+1",  "99999999999g", "18446744073709551616"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!size_parse(good[i].text, &bytes) || bytes != good[i].bytes)
            FAIL("%s", good[i].text);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (size_parse(bad[i], &bytes))
            FAIL("\"%s\" was taken for %llu bytes", bad[i], (unsigned long long)bytes);
}

static void check_exact(const char *route)
{
    char settings[128];
    snprintf(settings, sizeof settings, "CUDA_DEVICE_MEMORY_LIMIT_0=1g ROUTE=%s", route);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    expect(&client, "alloc 1073741825", "2 0");
    uint64_t whole = allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    expect(&client, "info", "0 free 0 total 1073741824");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)whole), 0);
    uint64_t half = allocate(&client, GIB / 2);
    allocate(&client, GIB / 2 - 1);
    allocate(&client, 1);
    expect(&client, "alloc 1", "2 0");
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)half), 0);
    expect(&client, "info", "0 free 536870912 total 1073741824");
    expect(&client, "alloc 18446744073709551615", "2 0");
    allocate(&client, GIB / 2);
    client_end(&client);
}

TEST(the_limit_is_exact_to_the_byte_for_a_linked_program)
{
    check_exact("link");
}

TEST(the_limit_is_exact_to_the_byte_through_dlsym)
{
    check_exact("dlsym");
}

TEST(the_limit_is_exact_to_the_byte_through_cuGetProcAddress)
{
    check_exact("proc");
}

TEST(sizes_shown_are_those_of_the_share)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=900g");
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 1073741824");
    expect(&client, "total 1", "0 17179869184"); /* never more than the card has */
    allocate(&client, GIB / 4);
    expect(&client, "info", "0 free 805306368 total 1073741824");
    expect(&client, "nvml 0", "0 total 1073741824 used 268435456 free 805306368");
    expect(&client, "nvml-v2 0", "0 total 1073741824 used 268435456 free 805306368");
    expect(&client, "nvml 1", "0 total 17179869184 used 0 free 17179869184");
    expect(&client, "nvml-v2 0 12345", "25 total 0 used 0 free 0"); /* not a version the driver knows */
    client_end(&client);
}

TEST(without_a_limit_everything_is_as_without_us)
{
    struct client client = client_start(""), bare = client_start_bare("");
    static const char *const questions[] = {"start 1", "total 0", "total 1", "info", "nvml 0", "nvml 1", "nvml-v2 1"};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        char answer[512];
        snprintf(answer, sizeof answer, "%s", ask(&bare, "%s", questions[i]));
        expect(&client, questions[i], answer);
    }
    allocate(&client, 16384 * MIB);
    expect(&client, "alloc 1", "2 0"); /* the card itself is full */
    client_end(&client);
    client_end(&bare);
}

TEST(one_limit_for_all_devices_holds_for_each)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT=2g CUDA_DEVICE_MEMORY_LIMIT_1=1g");
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 2147483648");
    expect(&client, "total 1", "0 1073741824");
    allocate(&client, 2 * GIB);
    expect(&client, "alloc 1", "2 0");
    expect(&client, "start 1", "0");
    allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
}

TEST(limits_follow_the_card_not_the_order_in_which_CUDA_lists_it)
{
    struct client client =
        client_start("NVIDIA_VISIBLE_DEVICES=" CARD_1 "," CARD_0
                     " CUDA_VISIBLE_DEVICES=1,0 CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=3g");
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 3221225472"); /* CUDA's first is the second allocated */
    expect(&client, "total 1", "0 1073741824");
    allocate(&client, 2 * GIB);
    expect(&client, "nvml 0", "0 total 1073741824 used 0 free 1073741824");
    expect(&client, "nvml 1", "0 total 3221225472 used 2147483648 free 1073741824");
    client_end(&client);

    client = client_start("CUDA_VISIBLE_DEVICES=1 CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_LIMIT_1=3g");
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 3221225472");
    client_end(&client);
}

TEST(a_limit_that_is_no_size_grants_nothing_and_says_so_once)
{
    char output[1024];
    int status =
        run("CUDA_DEVICE_MEMORY_LIMIT_0=4GB", "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1", output, sizeof output);
    CHECK_EQUAL(status, 2);
    if (strcmp(output, "hami: CUDA_DEVICE_MEMORY_LIMIT_0=4GB is not a size such as 3000m or 2g; no device memory is "
                       "given.\nCUDA_ERROR_OUT_OF_MEMORY\n") != 0)
        FAIL("%s", output);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT=-1", "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1", output, sizeof output),
                2);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT=", "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1", output, sizeof output), 0);
}

TEST(every_kind_of_allocation_draws_on_the_same_budget)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    unsigned long long managed, async, pitch;
    CHECK(sscanf(ask(&client, "managed 268435456"), "0 %llx", &managed) == 1);
    CHECK(sscanf(ask(&client, "async 268435456"), "0 %llx", &async) == 1);
    CHECK(sscanf(ask(&client, "pitch 1 524288 4"), "0 %llx", &pitch) == 1); /* rows of 512 bytes: 256 MiB */
    expect(&client, "info", "0 free 268435456 total 1073741824");
    expect(&client, "managed 268435457", "2 0");
    expect(&client, "async 268435457", "2 0");
    expect(&client, "pitch 513 524288 4", "2 0");
    expect(&client, "pitch 18446744073709551615 2 4", "2 0");
    expect(&client, "pitch 1 1 3", "1 0");
    CHECK_EQUAL(ask_number(&client, "free %llx", async), 0);
    CHECK_EQUAL(ask_number(&client, "free-async %llx", managed), 0);
    CHECK_EQUAL(ask_number(&client, "free %llx", pitch), 0);
    expect(&client, "info", "0 free 1073741824 total 1073741824");
    client_end(&client);
}

TEST(memory_of_a_pool_is_charged_to_the_card_of_the_pool)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=2g CUDA_DEVICE_MEMORY_LIMIT_1=1g");
    unsigned long long pointer;
    expect(&client, "start 0", "0");
    CHECK(sscanf(ask(&client, "pool 1073741824 1"), "0 %llx", &pointer) == 1);
    expect(&client, "pool 1 1", "2 0");
    expect(&client, "info", "0 free 2147483648 total 2147483648");
    expect(&client, "nvml 1", "0 total 1073741824 used 1073741824 free 0");
    CHECK_EQUAL(ask_number(&client, "free-async %llx", pointer), 0);
    expect(&client, "nvml 1", "0 total 1073741824 used 1073741824 free 0"); /* the pool has it still */
    CHECK_EQUAL(ask_number(&client, "pool-trim %s 0", ask(&client, "pool-default 1") + 2), 0);
    expect(&client, "nvml 1", "0 total 1073741824 used 0 free 1073741824");
    client_end(&client);
}

/* Nineteen cards; the region counts sixteen. */
TEST(a_limit_beyond_the_sixteenth_card_gives_nothing_and_says_so)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cards", test_folder);
    FILE *cards = fopen(path, "w");
    CHECK(cards);
    for (int i = 0; i < 19; i++)
        fprintf(cards, "GPU-000000%02d-0000-0000-0000-000000000000;Pretended T4;16384;40\n", i);
    fclose(cards);
    struct client client =
        client_start("CUDA_DEVICE_MEMORY_LIMIT_15=1g CUDA_DEVICE_MEMORY_LIMIT_16=1g CUDA_DEVICE_MEMORY_LIMIT_18=bad");
    expect(&client, "start 15", "0");
    expect(&client, "alloc 1073741825", "2 0");
    allocate(&client, GIB);
    expect(&client, "start 16", "2"); /* not even a context */
    expect(&client, "nvml 16", "0 total 0 used 0 free 0");
    expect(&client, "start 17", "0");
    uint64_t pointer = allocate(&client, 2 * GIB);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    client_end(&client);
}

/* What would wrap around a sum of 64 bits is never written where others add up. */
TEST(absurd_sizes_are_refused_and_leave_no_trace)
{
    static const char *const settings[] = {"", "CUDA_DEVICE_MEMORY_LIMIT_0=18446744073709551614",
                                           "CUDA_DEVICE_MEMORY_LIMIT_0=1g"};
    for (int i = 0; i < 3; i++) {
        struct client client = client_start(settings[i]);
        expect(&client, "start 0", "0");
        uint64_t pointer = allocate(&client, MIB);
        expect(&client, "alloc 18446744073709551615", "2 0");
        expect(&client, "alloc 18446744073708503040", "2 0"); /* with the first exactly 2^64 */
        expect(&client, "managed 9223372036854775808", "2 0");
        expect(&client, "async 18446744073709551614", "2 0");
        expect(&client, "create 18446744073709551615 0", "2 0");
        CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
        allocate(&client, GIB);
        client_end(&client);
    }
}
