/* Slow drivers, slow NVML, and ends in the middle of everything hold nobody up. */
#define _GNU_SOURCE
#include "testing.h"

#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../library/identity.h"

/* Ten minutes in the driver: who waited for it would not be back when the test's time is up. */
TEST(a_thread_that_waits_for_the_driver_holds_no_other_up)
{
    char output[256];
    if (run("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_SLOW=cuMemAllocPitch_v2:600000", "$BUILD/tests/endings slow",
            output, sizeof output) != 0)
        FAIL("%s", output);
}

TEST(an_NVML_that_does_not_answer_holds_up_no_allocation_and_no_end)
{
    char path[4200], settings[8600];
    snprintf(path, sizeof path, "%s/slow", test_folder);
    snprintf(settings, sizeof settings, "CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=24 HAMI_FAKE_SLOW=@%s", path);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs("nvmlDeviceGetComputeRunningProcesses:600000\n", file);
    fclose(file);
    for (int i = 0; i < 50; i++) { /* the watcher asks five times meanwhile */
        usleep(10000);
        CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)allocate(&client, MIB)), 0);
    }
    allocate(&client, GIB - 24 * MIB);
    client_end(&client);
}

TEST(programs_that_end_while_their_threads_are_at_it_end_and_leave_nothing)
{
    char output[1024];
    if (run("CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=1",
            "for i in $(seq 24); do $BUILD/tests/endings busy & all=\"$all $!\"; done; for i in $all; do wait $i || "
            "exit 1; done",
            output, sizeof output) != 0)
        FAIL("%s", output);
    struct client next = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&next, "start 0", "0");
    allocate(&next, GIB);
    client_end(&next);
}

/* A, B and D hold memory; A and D end, C comes: in HAMi-core B is moved and counts in a place that is not its own. */
TEST(who_stays_keeps_counting_at_its_place_while_others_come_and_go)
{
    const char *settings = "CUDA_DEVICE_MEMORY_LIMIT_0=2g";
    struct client a = client_start(settings), d = client_start(settings), b = client_start(settings);
    struct client *all[] = {&a, &d, &b};
    uint64_t held[3];
    for (int i = 0; i < 3; i++) {
        expect(all[i], "start 0", "0");
        held[i] = allocate(all[i], (uint64_t)(i + 1) * 100 * MIB);
    }
    client_end(&a);
    client_end(&d);
    struct client c = client_start(settings);
    expect(&c, "start 0", "0");
    allocate(&c, 400 * MIB);
    expect(&c, "info", "0 free 1413480448 total 2147483648");
    CHECK_EQUAL(ask_number(&b, "free %llx", (unsigned long long)held[2]), 0);
    expect(&c, "info", "0 free 1728053248 total 2147483648");
    allocate(&b, 1000 * MIB);
    struct client e = client_start(settings);
    expect(&e, "start 0", "0");
    client_end(&e);
    expect(&b, "info", "0 free 679477248 total 2147483648");
    expect(&c, "info", "0 free 679477248 total 2147483648");
    client_end(&b);
    client_end(&c);
}

TEST(a_process_with_a_name_like_a_dead_ones_state_lives)
{
    int out[2];
    uint64_t identity;
    CHECK(pipe(out) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "(a Xserver) Z");
        identity = identity_of_self();
        _exit(write(out[1], &identity, sizeof identity) == sizeof identity && pause());
    }
    CHECK(read(out[0], &identity, sizeof identity) == sizeof identity);
    CHECK(identity_lives(identity));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(!identity_lives(identity));
}
