#define _GNU_SOURCE
#include "testing.h"

#include <stdio.h>
#include <string.h>

/* tests/lookup.c does the looking up and ends with 0, or says what was wrong. */
static void check_lookup(const char *settings, const char *what)
{
    char command[256], output[1024];
    snprintf(command, sizeof command,
             "DEEP=$BUILD/tests/libdeep.so SHIM=$BUILD/tests/libshim.so $BUILD/tests/lookup %s", what);
    int status = run(settings, command, output, sizeof output);
    if (status != 0)
        FAIL("%d %s", status, output);
}

TEST(without_a_driver_programs_run_and_lookups_find_none)
{
    char output[1024];
    CHECK_EQUAL(run("LD_LIBRARY_PATH=/nowhere CUDA_DEVICE_MEMORY_LIMIT=1g", "/bin/true", output, sizeof output), 0);
    CHECK_EQUAL(strlen(output), 0);
    check_lookup("LD_LIBRARY_PATH=/nowhere CUDA_DEVICE_MEMORY_LIMIT=1g", "absent");
}

TEST(the_first_call_need_not_be_cuInit)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "uninitialised");
}

TEST(lookups_from_the_whole_program_find_the_wrapper)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "everywhere");
}

TEST(a_lookup_does_not_bring_the_driver_in)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "unasked");
}

TEST(a_driver_loaded_late_and_by_its_path_is_used)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g LD_LIBRARY_PATH=/nowhere", "late");
}

TEST(lookups_before_any_constructor_has_run_are_answered)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "early");
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g LD_BIND_NOW=1", "early");
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g LD_BIND_NOW=1", "everywhere");
}

TEST(other_names_are_left_alone)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "others");
}

TEST(the_next_object_is_counted_from_the_caller)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "next");
}

TEST(cuGetProcAddress_answers_with_the_very_version_the_driver_chose)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "versions");
}

TEST(a_function_without_an_exported_name_is_known_by_the_question)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g HAMI_FAKE_INNER=1", "versions");
}

TEST(whoever_looks_up_the_lookup_itself_also_with_a_version_finds_ours)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "with-version");
}

TEST(a_driver_in_another_link_namespace_or_deeply_bound_is_answered_with_the_wrapper)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "elsewhere");
}

/* Not stopped, and docs/threat-model.md says so. */
TEST(a_library_that_is_deeply_bound_or_in_another_link_namespace_finds_the_driver_itself)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "hidden");
}

TEST(signals_umask_and_open_files_of_the_program_stay_as_they_were)
{
    check_lookup("CUDA_DEVICE_MEMORY_LIMIT=1g", "guest");
}

TEST(nothing_is_printed)
{
    char output[4096];
    run("CUDA_DEVICE_MEMORY_LIMIT=1g",
        "$BUILD/bin/lab-cuda alloc 4096 >/dev/null; $BUILD/bin/lab-smi >/dev/null; $BUILD/bin/lab-cuda probe "
        ">/dev/null",
        output, sizeof output);
    if (*output)
        FAIL("%s", output);
}

TEST(lab_smi_shows_the_share)
{
    char output[8192];
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=10240m NVIDIA_VISIBLE_DEVICES=" CARD_0, "$BUILD/bin/nvidia-smi", output,
                    sizeof output),
                0);
    CHECK(strstr(output, " 0MiB / 10240MiB |"));
    CHECK(strstr(output, "Pretended A100"));
    CHECK_EQUAL(run("NVIDIA_VISIBLE_DEVICES=none", "$BUILD/bin/nvidia-smi", output, sizeof output), 1);
    CHECK(strcmp(output, "No devices were found.\n") == 0);
    CHECK_EQUAL(run("LD_LIBRARY_PATH=/nowhere", "$BUILD/bin/lab-smi", output, sizeof output), 1);
}

/* Stopped once it has printed; it must have been there to be stopped, and end well. */
static void check_stay(const char *settings, const char *expected)
{
    char output[8192];
    CHECK_EQUAL(run(settings,
                    "$BUILD/bin/lab-smi --stay >$HAMI_FAKE_DRIVER.out & "
                    "while ! [ -s $HAMI_FAKE_DRIVER.out ]; do sleep 0.02; done; sleep 0.1; "
                    "kill $! && wait $! && cat $HAMI_FAKE_DRIVER.out",
                    output, sizeof output),
                0);
    if (!strstr(output, expected))
        FAIL("%s", output);
}

TEST(lab_smi_stays_with_a_card_and_without)
{
    check_stay("", "40960MiB");
    check_stay("NVIDIA_VISIBLE_DEVICES=none", "No devices were found.");
    check_stay("NVIDIA_VISIBLE_DEVICES=", "No devices were found.");
    check_stay("LD_LIBRARY_PATH=/nowhere", "this container was given no NVIDIA driver.");
}

TEST(lab_cuda_probes_within_and_beyond)
{
    char output[1024];
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=10240m NVIDIA_VISIBLE_DEVICES=" CARD_0, "$BUILD/bin/lab-cuda probe",
                    output, sizeof output),
                0);
    if (strcmp(output, "{\"device\":0,\"uuid\":\"" CARD_0
                       "\",\"totalMiB\":10240,\"nvmlTotalMiB\":10240,\"within\":\"CUDA_SUCCESS\","
                       "\"beyond\":\"CUDA_ERROR_OUT_OF_MEMORY\"}\n") != 0)
        FAIL("%s", output);
}
