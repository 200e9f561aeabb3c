#include "testing.h"

#define LIMITS                                                                                                         \
    "LD_PRELOAD= CUDA_OVERSUBSCRIBE=true CUDA_DEVICE_MEMORY_LIMIT=64m CUDA_DEVICE_SM_LIMIT=90 "                        \
    "GPU_CORE_UTILIZATION_POLICY=force "                                                                               \
    "HAMI_FAKE_KERNEL_NS=2000 "

static void check_hammer(const char *settings, const char *command)
{
    char output[1000];
    int status = run(settings, command, output, sizeof output);
    if (status != 0)
        FAIL("%d %s", status, output);
}

TEST(threads_and_forks_in_the_middle_of_everything_end_well)
{
    check_hammer(LIMITS, "$BUILD/tests/hammer");
}

/* What happens once only, at the first allocation, is in the middle too. */
TEST(forks_in_the_middle_of_the_first_allocation_end_well)
{
    check_hammer(LIMITS, "for i in $(seq 30); do $BUILD/tests/hammer briefly || exit 1; done");
}

LASTING_TEST(the_address_and_undefined_behaviour_sanitizers_find_nothing)
{
    check_hammer(LIMITS "UBSAN_OPTIONS=halt_on_error=1 ASAN_OPTIONS=detect_leaks=0",
                 "$BUILD/tests/hammer-address+undefined forks-late");
}

LASTING_TEST(the_thread_sanitizer_finds_nothing)
{
    check_hammer(LIMITS "TSAN_OPTIONS=halt_on_error=1", "$BUILD/tests/hammer-thread forks-late");
}
