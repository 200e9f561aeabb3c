#include "testing.h"

#include <stdio.h>
#include <unistd.h>

/* tests/fuzz.c plays the sequences and checks; it prints what was wrong last. */
static void check_fuzz(const char *settings, const char *format, unsigned int first, unsigned int sequences)
{
    char command[512], output[512];
    snprintf(command, sizeof command, format, first, sequences, first, sequences);
    int status = run(settings, command, output, sizeof output);
    if (status != 0)
        FAIL("%d %s", status, output);
}

/* Where it lasts, the seeds are other ones every time; what it printed last is the seed before the failing one. */
#define SAME                                                                                                           \
    "env LD_PRELOAD= $BUILD/tests/fuzz %u %u 60 >$HAMI_FAKE_DRIVER.bare || { tail -n 2 $HAMI_FAKE_DRIVER.bare; exit "  \
    "1; };"                                                                                                            \
    "BOOKS=1 $BUILD/tests/fuzz %u %u 60 >$HAMI_FAKE_DRIVER.ours || { tail -n 2 $HAMI_FAKE_DRIVER.ours; exit 1; };"     \
    "cmp $HAMI_FAKE_DRIVER.bare $HAMI_FAKE_DRIVER.ours"
#define LIMITED                                                                                                        \
    "BOOKS=1 $BUILD/tests/fuzz %u %u 60 >$HAMI_FAKE_DRIVER.ours || { tail -n 2 $HAMI_FAKE_DRIVER.ours; exit 1; }"

TEST(without_a_limit_random_calls_give_what_the_bare_driver_gives)
{
    check_fuzz("", SAME, 1, 200);
}

TEST(random_calls_are_written_down_as_a_recount_says_and_stay_within_the_limit)
{
    check_fuzz("CUDA_DEVICE_MEMORY_LIMIT=64m LIMIT=67108864", LIMITED, 1, 100);
    check_fuzz("CUDA_DEVICE_MEMORY_LIMIT=128m LIMIT=134217728", LIMITED, 1, 100);
}

LASTING_TEST(many_random_calls_give_what_the_bare_driver_gives)
{
    check_fuzz("", SAME, (unsigned int)getpid(), 5000);
}

LASTING_TEST(many_random_calls_stay_within_the_limit)
{
    check_fuzz("CUDA_DEVICE_MEMORY_LIMIT=64m LIMIT=67108864", LIMITED, (unsigned int)getpid(), 3000);
    check_fuzz("CUDA_DEVICE_MEMORY_LIMIT=100m LIMIT=104857600", LIMITED, (unsigned int)getpid(), 3000);
    check_fuzz("CUDA_DEVICE_MEMORY_LIMIT=200m LIMIT=209715200", LIMITED, (unsigned int)getpid(), 3000);
}

/* ---- killed in the middle ---- */

static void check_whole_budget(void)
{
    char output[512];
    int status = run("CUDA_DEVICE_MEMORY_LIMIT=64m", "$BUILD/bin/lab-cuda alloc 64", output, sizeof output);
    if (status != 0)
        FAIL("the next one gets not all: %d %s", status, output);
}

/* Each of these is a step between what is written down and what is given. */
TEST(killed_at_any_call_of_the_driver_it_leaves_the_whole_budget_to_the_next)
{
    static const char *const steps[] = {
        "cuMemAlloc_v2",
        "cuMemFree_v2",
        "cuMemAllocPitch_v2",
        "cuMemAllocManaged",
        "cuMemAllocAsync",
        "cuMemFreeAsync",
        "cuMemAllocFromPoolAsync",
        "cuMemPoolGetAttribute",
        "cuMemPoolCreate",
        "cuMemPoolTrimTo",
        "cuMemPoolDestroy",
        "cuArray3DCreate_v2",
        "cuArrayDestroy",
        "cuMemCreate",
        "cuMipmappedArrayCreate",
        "cuMipmappedArrayDestroy",
        "cuMemMap",
        "cuMemUnmap",
        "cuMemRelease",
        "cuMemRetainAllocationHandle",
        "cuGraphLaunch",
        "cuGraphUpload",
        "cuGraphInstantiateWithFlags",
        "cuDeviceGetGraphMemAttribute",
        "cuCtxSetLimit",
        "cuCtxGetLimit",
        "cuCtxGetDevice",
    };
    static const int calls[] = {1, 2, 7};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
            char settings[128], output[512];
            snprintf(settings, sizeof settings, "CUDA_DEVICE_MEMORY_LIMIT=64m HAMI_FAKE_FAIL=%s:%d:-9", steps[i],
                     calls[k]);
            int status = run(settings, "exec $BUILD/tests/fuzz 1 1000 60 >/dev/null", output, sizeof output);
            if (status != 128 + 9)
                FAIL("%s ended with %d", settings, status);
            if (k == 0)
                check_whole_budget();
        }
    check_whole_budget();
}

static void check_kills(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        char command[512], output[512];
        snprintf(command, sizeof command,
                 "for i in 1 2 3; do $BUILD/tests/fuzz %d$i 1000000 60 >$HAMI_FAKE_DRIVER.$i & p=\"$p $!\"; done; "
                 "sleep 0.0%d; kill -9 $p; wait; cat $HAMI_FAKE_DRIVER.[123] | grep step",
                 round, round % 7 + 2);
        run("CUDA_DEVICE_MEMORY_LIMIT=64m", command, output, sizeof output);
        if (*output)
            FAIL("%s", output);
        check_whole_budget();
    }
}

TEST(killed_at_any_moment_of_any_call_they_leave_the_whole_budget_to_the_next)
{
    check_kills(12);
}

LASTING_TEST(a_storm_of_kills_over_all_families_leaves_the_whole_budget_to_the_next)
{
    check_kills(500);
}
