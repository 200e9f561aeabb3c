#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The most the pretended driver ever had given out on the first card; the ledger's first word. */
static uint64_t driver_peak_bytes(void)
{
    char path[4200];
    uint64_t peak_bytes = 0;
    snprintf(path, sizeof path, "%s/cards.state", test_folder);
    int file = open(path, O_RDONLY);
    CHECK(file >= 0 && read(file, &peak_bytes, sizeof peak_bytes) == sizeof peak_bytes);
    close(file);
    return peak_bytes;
}

TEST(processes_of_a_container_share_one_budget)
{
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    struct client two = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&one, "start 0", "0");
    expect(&two, "start 0", "0");
    uint64_t pointer = allocate(&one, GIB - 1);
    expect(&two, "alloc 2", "2 0");
    allocate(&two, 1);
    expect(&two, "info", "0 free 0 total 1073741824");
    expect(&two, "nvml 0", "0 total 1073741824 used 1073741824 free 0");
    CHECK_EQUAL(ask_number(&one, "free %llx", (unsigned long long)pointer), 0);
    expect(&two, "info", "0 free 1073741823 total 1073741824");
    allocate(&two, GIB - 1);
    client_end(&one);
    client_end(&two);
}

TEST(what_a_killed_process_held_is_there_for_the_next)
{
    for (int round = 0; round < 20; round++) {
        struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
        struct client two = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
        expect(&one, "start 0", "0");
        expect(&two, "start 0", "0");
        allocate(&one, GIB);
        expect(&two, "alloc 1", "2 0");
        client_kill(&one);
        uint64_t pointer = allocate(&two, GIB);
        CHECK_EQUAL(ask_number(&two, "free %llx", (unsigned long long)pointer), 0);
        client_end(&two);
    }
}

TEST(a_zombie_holds_nothing)
{
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    struct client two = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&one, "start 0", "0");
    expect(&two, "start 0", "0");
    allocate(&one, GIB);
    kill(one.pid, SIGKILL);
    siginfo_t ended;
    CHECK(waitid(P_PID, (id_t)one.pid, &ended, WEXITED | WNOWAIT) == 0);
    expect(&two, "info", "0 free 1073741824 total 1073741824");
    allocate(&two, GIB);
    client_end(&two);
}

TEST(a_stopped_process_keeps_what_it_holds_and_holds_nobody_up)
{
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    struct client two = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&one, "start 0", "0");
    expect(&two, "start 0", "0");
    allocate(&one, GIB / 2);
    kill(one.pid, SIGSTOP);
    expect(&two, "alloc 536870913", "2 0");
    allocate(&two, GIB / 2);
    kill(one.pid, SIGCONT);
    client_end(&one);
    client_end(&two);
}

TEST(a_forked_child_draws_on_the_budget_with_a_slot_of_its_own)
{
    struct client parent = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&parent, "start 0", "0");
    allocate(&parent, GIB / 2);
    expect(&parent, "fork 536870913", "2");
    expect(&parent, "join", "0");
    expect(&parent, "fork 536870912", "0");
    expect(&parent, "alloc 1", "2 0");
    expect(&parent, "info", "0 free 0 total 1073741824");
    expect(&parent, "join", "0");
    allocate(&parent, GIB / 2);
    client_end(&parent);
}

TEST(what_a_program_held_before_exec_is_free_after_it)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    CHECK(write(client.to, "exec\n", 5) == 5);
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 1073741824 total 1073741824");
    allocate(&client, GIB / 2);
    client_end(&client);
}

TEST(a_thread_cancelled_in_the_middle_leaves_no_lock_behind)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g NVIDIA_VISIBLE_DEVICES=" CARD_0);
    expect(&client, "start 0", "0");
    expect(&client, "cancel", "0");
    allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    client_end(&client);
}

TEST(a_later_process_without_the_limit_is_held_to_it_and_a_smaller_one_hurts_only_itself)
{
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&one, "start 0", "0");
    allocate(&one, 1);
    char output[1024];
    const char *lab = "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1024";
    CHECK_EQUAL(run("", lab, output, sizeof output), 2);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=900g", lab, output, sizeof output), 2);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=bad", lab, output, sizeof output), 2);
    allocate(&one, GIB - 1);
    client_end(&one);
    /* A new life of the container has the limit it is started with. */
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=2g", lab, output, sizeof output), 0);
}

static void check_hammers(int processes, int threads, unsigned long rounds)
{
    struct client client[8];
    for (int i = 0; i < processes; i++) {
        client[i] = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
        expect(&client[i], "start 0", "0");
    }
    char question[64];
    int length =
        snprintf(question, sizeof question, "hammer %d %lu %llu\n", threads, rounds, (unsigned long long)(8 * MIB));
    for (int i = 0; i < processes; i++)
        CHECK(write(client[i].to, question, (size_t)length) == length);
    for (int i = 0; i < processes; i++) {
        unsigned long wrong, refused;
        const char *answer = ask(&client[i], "init");
        CHECK(sscanf(answer, "wrong %lu refused %lu", &wrong, &refused) == 2);
        CHECK_EQUAL(wrong, 0);
        CHECK(refused > 0);
        char zero[16];
        CHECK(read(client[i].from, zero, 2) == 2); /* the answer to init */
    }
    CHECK(driver_peak_bytes() <= 64 * MIB);
    CHECK(driver_peak_bytes() > 48 * MIB); /* nor is the budget left unused */
    expect(&client[0], "info", "0 free 67108864 total 67108864");
    for (int i = 0; i < processes; i++)
        client_end(&client[i]);
}

TEST(sixteen_threads_never_pass_the_limit_and_end_at_zero)
{
    check_hammers(1, 16, 5000);
}

TEST(six_processes_of_four_threads_never_pass_the_limit_and_end_at_zero)
{
    check_hammers(6, 4, 2000);
}

/* Sixteen threads of two processes that each hold eight bytes at most: the last byte is asked for again and again. */
TEST(who_stays_within_the_limit_is_never_refused)
{
    struct client client[2];
    for (int i = 0; i < 2; i++) {
        client[i] = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=128");
        expect(&client[i], "start 0", "0");
    }
    for (int i = 0; i < 2; i++)
        CHECK(write(client[i].to, "hammer 8 4000 1\n", 16) == 16);
    for (int i = 0; i < 2; i++)
        expect(&client[i], "init", "wrong 0 refused 0");
}

LASTING_TEST(eight_processes_of_eight_threads_hammer_for_long)
{
    check_hammers(8, 8, 40000);
}

static void check_kills(int rounds)
{
    enum { CLIENTS = 4 };
    struct client client[CLIENTS];
    unsigned int seed = (unsigned int)getpid();
    static const char settings[] = "CUDA_DEVICE_MEMORY_LIMIT_0=64m";
    static const char storm[] = "hammer 2 100000000 8388608\n";
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            client[i] = client_start(settings);
            expect(&client[i], "start 0", "0");
            CHECK(write(client[i].to, storm, sizeof storm - 1) == sizeof storm - 1);
        }
        struct timespec pause = {.tv_nsec = 1000000L + rand_r(&seed) % 30000000};
        nanosleep(&pause, NULL);
        for (int i = 0; i < CLIENTS; i++)
            client_kill(&client[i]);
        struct client survivor = client_start(settings);
        expect(&survivor, "start 0", "0");
        allocate(&survivor, 64 * MIB);
        expect(&survivor, "alloc 1", "2 0");
        CHECK(driver_peak_bytes() <= 64 * MIB);
        client_kill(&survivor);
    }
}

TEST(killing_at_any_moment_leaves_the_whole_budget_to_the_next)
{
    check_kills(25);
}

LASTING_TEST(a_storm_of_kills_leaves_the_whole_budget_to_the_next)
{
    check_kills(1000);
}

LASTING_TEST(the_table_of_slots_recovers_from_three_thousand_processes)
{
    char output[1024];
    for (int i = 0; i < 3000; i++)
        CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=64m", "exec $LD_LIBRARY_PATH/../bin/lab-cuda alloc 64", output,
                        sizeof output),
                    0);
}
