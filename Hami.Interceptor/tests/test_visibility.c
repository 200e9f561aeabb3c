/* What NVML shows of the container. */
#define _GNU_SOURCE
#include "testing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMPUTE "nvmlDeviceGetComputeRunningProcesses"
#define LIMIT "CUDA_DEVICE_MEMORY_LIMIT_0=1g "

__attribute__((format(printf, 3, 4))) static void expect_list(struct client *client, const char *list,
                                                              const char *format, ...)
{
    char question[128], answer[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer, sizeof answer, format, arguments);
    va_end(arguments);
    snprintf(question, sizeof question, "processes %s", list);
    expect(client, question, answer);
}

TEST(a_list_of_processes_names_those_of_the_container_and_nobody_else)
{
    struct client one = client_start(LIMIT), other = client_start(LIMIT), stranger = client_start_bare("");
    expect(&one, "start 0", "0");
    expect(&other, "start 0", "0");
    expect(&stranger, "start 0", "0");
    allocate(&one, 100);
    allocate(&stranger, 300);
    expect_list(&one, COMPUTE " 0 9 16", "0 count 1 %d 100", one.pid);
    allocate(&other, 200);
    for (int version = 1; version <= 3; version++) {
        char list[64];
        snprintf(list, sizeof list, COMPUTE "%s 0 9 %d",
                 version == 1   ? ""
                 : version == 2 ? "_v2"
                                : "_v3",
                 version == 1 ? 16 : 24);
        expect_list(&one, list, "0 count 2 %d 100 %d 200", one.pid, other.pid);
    }
    char both[64];
    snprintf(both, sizeof both, "0 count 2 %d 100 %d 200", one.pid, other.pid);
    expect(&one, "details 0", both);
    expect_list(&one, COMPUTE "_v3 0 1 24", "7 count 2"); /* not room enough */
    expect_list(&one, COMPUTE "_v3 0 0 24", "7 count 2");
    expect_list(&one, "nvmlDeviceGetGraphicsRunningProcesses_v3 0 9 24", "0 count 0");
    expect_list(&one, "nvmlDeviceGetMPSComputeRunningProcesses_v3 0 0 24", "0 count 0");
    client_kill(&other);
    expect_list(&one, COMPUTE " 0 9 16", "0 count 1 %d 100", one.pid);
    client_end(&one);
    client_end(&stranger);
}

TEST(a_list_is_the_drivers_own_where_there_is_no_limit)
{
    struct client client = client_start(LIMIT), stranger = client_start_bare("");
    expect(&client, "start 1", "0");
    expect(&stranger, "start 1", "0");
    allocate(&stranger, 300);
    expect_list(&client, COMPUTE "_v3 1 9 24", "0 count 1 %d 300", stranger.pid);
    expect_list(&client, COMPUTE "_v3 0 9 24", "0 count 0");
    expect_list(&client, COMPUTE "_v3 77 9 24", "2 count 9");
    client_end(&client);
    client_end(&stranger);
}

/* The driver lists pids of another namespace, and nobody has told us which is ours. */
TEST(a_process_whose_pid_on_the_node_is_unknown_is_listed_with_what_passed_through_us)
{
    struct client client = client_start(LIMIT "HAMI_FAKE_PID_SHIFT=1000000"), stranger = client_start_bare("");
    expect(&client, "start 0", "0");
    expect(&stranger, "start 0", "0");
    allocate(&stranger, 300);
    expect_list(&client, COMPUTE "_v3 0 0 24", "0 count 0");
    allocate(&client, 100);
    expect_list(&client, COMPUTE "_v3 0 9 24", "0 count 1 %d 100", client.pid);
    client_end(&client);
    client_end(&stranger);
}

TEST(entries_as_long_as_some_drivers_write_them_stay_as_long)
{
    struct client one = client_start(LIMIT "HAMI_FAKE_WIDE=1"), other = client_start(LIMIT "HAMI_FAKE_WIDE=1");
    expect(&one, "start 0", "0");
    expect(&other, "start 0", "0");
    allocate(&one, 100);
    allocate(&other, 200);
    expect_list(&one, COMPUTE "_v3 0 9 32", "0 count 2 %d 100 %d 200", one.pid, other.pid);
    expect_list(&one, COMPUTE "_v2 0 9 24", "0 count 2 %d 100 %d 200", one.pid, other.pid);
    client_end(&one);
    client_end(&other);
}

TEST(wrong_questions_for_processes_get_the_drivers_answer)
{
    static const char *const questions[] = {"processes " COMPUTE "_v3 0 0 24", "processes " COMPUTE "_v3 99 9 24",
                                            "processes nvmlDeviceGetMPSComputeRunningProcesses 99 9 16"};
    struct client client = client_start(LIMIT), bare = client_start_bare("");
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        char answer[256];
        snprintf(answer, sizeof answer, "%s", ask(&bare, "%s", questions[i]));
        expect(&client, questions[i], answer);
    }
    client_end(&client);
    client_end(&bare);
}

/* An instance of a card has a UUID of its own, and an index that is no card's. */
TEST(an_instance_of_a_card_is_limited_by_its_name_and_no_others_limit_is_taken_for_it)
{
    static const char instance[] = "MIG-22222222-0000-0000-0000-0000000000cc";
    char path[160], settings[512];
    snprintf(path, sizeof path, "%s/cards", test_folder);
    FILE *cards = fopen(path, "w");
    fprintf(cards, "%s;Pretended H100 MIG 1g.10gb;10240;16\n%s;Pretended T4;16384;40\n", instance, CARD_1);
    fclose(cards);
    struct client client = client_start(LIMIT);
    expect(&client, "nvml 0", "0 total 10737418240 used 0 free 10737418240");
    client_end(&client);
    snprintf(settings, sizeof settings, LIMIT "NVIDIA_VISIBLE_DEVICES=%s", instance);
    client = client_start(settings);
    expect(&client, "start 0", "0");
    expect(&client, "total 0", "0 1073741824");
    expect(&client, "nvml 0", "0 total 1073741824 used 0 free 1073741824");
    client_end(&client);
    snprintf(settings, sizeof settings, LIMIT "NVIDIA_VISIBLE_DEVICES=%s CUDA_VISIBLE_DEVICES=%s", instance, instance);
    client = client_start(settings);
    expect(&client, "init", "0");
    expect(&client, "total 0", "0 1073741824");
    client_end(&client);
    snprintf(settings, sizeof settings, "hami-limits 1\ncard %s memory 1g\nend\n", instance);
    client = client_start(grant(settings));
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    expect(&client, "nvml 0", "0 total 1073741824 used 1073741824 free 0");
    expect(&client, "nvml 1", "0 total 0 used 0 free 0");
    client_end(&client);
}

TEST(lab_smi_lists_the_processes_of_the_container)
{
    char output[8192], row[128];
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=10240m");
    expect(&client, "start 0", "0");
    allocate(&client, 3 * GIB);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=10240m", "$BUILD/bin/nvidia-smi", output, sizeof output), 0);
    CHECK(strstr(output, " 3072MiB / 10240MiB |"));
    snprintf(row, sizeof row, "|    0   N/A  N/A    %12d      C   %-38.38s", client.pid, "");
    row[38] = '\0';
    if (!strstr(output, row) || !strstr(output, " 3072MiB |\n+") || strstr(output, "No running processes"))
        FAIL("no \"%s\" in: %s", row, output);
    client_end(&client);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=10240m", "$BUILD/bin/nvidia-smi", output, sizeof output), 0);
    CHECK(strstr(output, "No running processes"));
}
