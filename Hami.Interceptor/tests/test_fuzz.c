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
