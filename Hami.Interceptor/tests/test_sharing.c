#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fake-driver/node.h"
#include "../library/identity.h"

static int ledger_file(int flags)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cards.state", test_folder);
    int file = open(path, flags | O_CLOEXEC, 0666);
    CHECK(file >= 0);
    return file;
}

/* What the pretended driver has given out, process by process. */
static const struct ledger *ledger_look(void)
{
    int file = ledger_file(O_RDONLY);
    const struct ledger *ledger = mmap(NULL, sizeof *ledger, PROT_READ, MAP_SHARED, file, 0);
    CHECK(ledger != MAP_FAILED);
    close(file);
    return ledger;
}

static uint64_t driver_peak_bytes(void)
{
    const struct ledger *ledger = ledger_look();
    uint64_t peak_bytes = ledger->peak_bytes[0];
    munmap((void *)ledger, sizeof *ledger);
    return peak_bytes;
}

__attribute__((noreturn)) static void fail_over_peak(int line, uint64_t limit_bytes)
{
    char path[4200], *text;
    size_t length;
    snprintf(path, sizeof path, "%s/region", test_folder);
    const struct ledger *ledger = ledger_look();
    const struct extension *extension = extension_look(path);
    FILE *report = open_memstream(&text, &length);
    fprintf(report, "the driver's peak is %llu, the limit %llu\n", (unsigned long long)ledger->peak_bytes[0],
            (unsigned long long)limit_bytes);
    for (int i = 0; i < PROCESSES_MAX; i++) {
        const struct process *process = &ledger->process[i];
        if (process->pid != 0)
            fprintf(report, "  driver %d: pid %d started %llu used %llu\n", i, process->pid,
                    (unsigned long long)process->start_ticks, (unsigned long long)process->used_bytes[0]);
    }
    for (unsigned int i = 0; i < extension->slots_high && i < SLOTS_MAX; i++) {
        const struct slot *slot = &extension->slots[i];
        uint64_t owner = slot->owner;
        if (owner != 0)
            fprintf(report, "  region %u: pid %u started %llu%s used %llu pending %llu\n", i, identity_pid(owner),
                    (unsigned long long)identity_start_ticks(owner), owner & IDENTITY_RECLAIMING ? " reclaiming" : "",
                    (unsigned long long)slot->device[0].used_bytes, (unsigned long long)slot->device[0].pending_bytes);
    }
    fclose(report);
    fail_at(__FILE__, line, "%s", text);
}

#define CHECK_PEAK(limit_bytes)                                                                                        \
    do {                                                                                                               \
        if (driver_peak_bytes() > (limit_bytes))                                                                       \
            fail_over_peak(__LINE__, limit_bytes);                                                                     \
    } while (0)

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

/* Neither budget nor driver may take "no such process" for a sign of life. */
static void check_reaped(const char *how)
{
    char settings[8400];
    snprintf(settings, sizeof settings,
             "FAIL=%s LD_PRELOAD=%s/libvgpu.so:%s/tests/libfailing.so CUDA_DEVICE_MEMORY_LIMIT_0=1g", how, build_folder,
             build_folder);
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    struct client two = client_start(settings);
    expect(&one, "start 0", "0");
    expect(&two, "start 0", "0");
    allocate(&one, GIB);
    expect(&two, "alloc 1", "2 0");
    kill(one.pid, SIGKILL);
    siginfo_t ended;
    CHECK(waitid(P_PID, (id_t)one.pid, &ended, WEXITED | WNOWAIT) == 0);
    allocate(&two, GIB);
    CHECK_PEAK(GIB);
    client_end(&two);
    client_kill(&one);
}

TEST(a_zombie_that_is_reaped_while_we_look_holds_nothing)
{
    check_reaped("vanished");
    check_reaped("vanishing");
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
    allocate(&client, GIB);
    CHECK_PEAK(GIB); /* the driver agrees */
    client_end(&client);
}

/* Else the storms below would blame the budget: one killed while it freed a dead process's entry left it like this. */
TEST(the_drivers_ledger_counts_nothing_of_an_entry_without_a_pid)
{
    int file = ledger_file(O_RDWR | O_CREAT);
    uint64_t bytes = 64 * MIB;
    off_t entry = (off_t)offsetof(struct ledger, process);
    CHECK(pwrite(file, &bytes, sizeof bytes, entry + (off_t)offsetof(struct process, used_bytes)) == sizeof bytes);
    close(file);
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=64m");
    expect(&client, "start 0", "0");
    allocate(&client, 64 * MIB);
    CHECK_EQUAL(ledger_look()->process[0].pid, client.pid);
    CHECK_PEAK(64 * MIB);
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

/* Every process with a context of so many MiB, for which there is room beside 64 MiB of budget. */
static void check_hammers(int processes, int threads, unsigned long rounds, uint64_t context_mib)
{
    const uint64_t limit_bytes = (64 + (uint64_t)processes * context_mib) * MIB;
    char settings[128];
    snprintf(settings, sizeof settings, "CUDA_DEVICE_MEMORY_LIMIT_0=%llu HAMI_FAKE_CONTEXT=%llu",
             (unsigned long long)limit_bytes, (unsigned long long)context_mib);
    struct client client[8];
    for (int i = 0; i < processes; i++) {
        client[i] = client_start(settings);
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
    CHECK_PEAK(limit_bytes);
    CHECK(driver_peak_bytes() > limit_bytes - 16 * MIB); /* nor is the budget left unused */
    char all[64];
    snprintf(all, sizeof all, "0 free 67108864 total %llu", (unsigned long long)limit_bytes);
    expect_soon(&client[0], "info", all);
    for (int i = 0; i < processes; i++)
        client_end(&client[i]);
}

TEST(sixteen_threads_never_pass_the_limit_and_end_at_zero)
{
    check_hammers(1, 16, 5000, 0);
}

TEST(six_processes_of_four_threads_never_pass_the_limit_and_end_at_zero)
{
    check_hammers(6, 4, 2000, 0);
}

TEST(processes_with_contexts_never_pass_the_limit_with_all_they_hold)
{
    check_hammers(3, 4, 4000, 20);
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
    check_hammers(8, 8, 40000, 20);
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
        CHECK_PEAK(64 * MIB);
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
