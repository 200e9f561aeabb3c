#include "testing.h"

#include <stdio.h>
#include <string.h>

TEST(the_library_loads_with_an_old_C_library_needs_no_other_and_exports_the_approved_names)
{
    char output[2048];
    if (run("LD_PRELOAD=", "${SOURCES:-$BUILD/..}/tests/portable.sh $BUILD/libvgpu.so", output, sizeof output) != 0)
        FAIL("%s", output);
}

/* musl reads no /etc/ld.so.preload, so this takes LD_PRELOAD. */
TEST(a_program_on_musl_runs_as_without_us_and_is_told_that_it_is_given_no_memory)
{
    char output[2048];
    if (run("LD_PRELOAD=",
            "cd ${HAMI_FAKE_DRIVER%/cards} && command -v musl-gcc && musl-gcc "
            "${SOURCES:-$BUILD/..}/tests/musl_program.c -o "
            "program && "
            "echo \"int cuMemAlloc_v2(void) { return 0; }\" >driver.c && "
            "musl-gcc -shared -fPIC driver.c -o libcuda.so.1",
            output, sizeof output) != 0)
        skip("no musl-gcc");
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT=1g", "${HAMI_FAKE_DRIVER%/cards}/program", output, sizeof output), 0);
    if (strcmp(output, "as without us\n") != 0)
        FAIL("%s", output);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT=1g",
                    "${HAMI_FAKE_DRIVER%/cards}/program ${HAMI_FAKE_DRIVER%/cards}/libcuda.so.1", output,
                    sizeof output),
                0);
    if (strcmp(output,
               "hami: this program runs on another C library than glibc; it is given no device memory.\n100\n100\n") !=
        0)
        FAIL("%s", output);
}
