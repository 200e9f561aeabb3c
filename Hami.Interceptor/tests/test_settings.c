/* What is granted, and who may say so. */
#define _GNU_SOURCE
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "hami-limits 1\n"
#define CARDS_1G_3G HEAD "card " CARD_0 " memory 1073741824 cores 30\ncard " CARD_1 " memory 3221225472\n"

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return path;
}

static const char *with(const char *settings, const char *more)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s %s", settings, more);
    return text;
}

/* ---- the limits file ---- */

TEST(the_limits_file_alone_counts_whatever_the_environment_says)
{
    char limits[4400];
    snprintf(limits, sizeof limits,
             "# by the node agent\n" CARDS_1G_3G "policy force\npriority 0\nregion %s/own-region\nend\n", test_folder);
    struct client client = client_start(
        with(grant(limits), "CUDA_DEVICE_MEMORY_LIMIT=30g CUDA_DEVICE_MEMORY_LIMIT_0=30g CUDA_DEVICE_SM_LIMIT=90 "
                            "GPU_CORE_UTILIZATION_POLICY=disable CUDA_TASK_PRIORITY=1 CUDA_DISABLE_CONTROL=true "
                            "HAMI_MEMORY_ENFORCEMENT=driver NVIDIA_VISIBLE_DEVICES=" CARD_1 "," CARD_0));
    expect(&client, "start 0", "0"); /* CUDA's first is the second of the file */
    expect(&client, "total 0", "0 3221225472");
    expect(&client, "total 1", "0 1073741824");
    expect(&client, "start 1", "0");
    expect(&client, "alloc 1073741825", "2 0");
    allocate(&client, GIB);
    expect(&client, "alloc 1", "2 0");
    expect(&client, "nvml 1", "0 total 1073741824 used 1073741824 free 0");
    CHECK(access(path_of("region"), F_OK) != 0); /* where the environment wants it */
    const struct v1_region *v1 = region_look(path_of("own-region"));
    CHECK_EQUAL(v1->device_count, 2);
    CHECK(strcmp(v1->uuids[0], CARD_0) == 0 && strcmp(v1->uuids[1], CARD_1) == 0);
    CHECK_EQUAL(v1->limit_bytes[0], GIB);
    CHECK_EQUAL(v1->limit_bytes[1], 3 * GIB);
    CHECK_EQUAL(v1->limit_bytes[2], 0);
    CHECK_EQUAL(v1->sm_limit_percent[0], 30);
    CHECK_EQUAL(v1->sm_limit_percent[1], 100);
    CHECK_EQUAL(v1->priority, 0);
    CHECK_EQUAL(v1->processes[0].used[0].total_bytes, GIB);
    client_end(&client);
}

TEST(cards_are_those_of_the_limits_file_in_whatever_order_CUDA_lists_them)
{
    static const struct {
        const char *visible, *question, *answer;
    } cases[] = {{"CUDA_VISIBLE_DEVICES=1,0", "total 0", "0 3221225472"},
                 {"CUDA_VISIBLE_DEVICES=1,0", "total 1", "0 1073741824"},
                 {"CUDA_VISIBLE_DEVICES=1", "total 0", "0 3221225472"},
                 {"CUDA_VISIBLE_DEVICES=" CARD_1, "total 0", "0 3221225472"},
                 {"CUDA_VISIBLE_DEVICES=" CARD_1 "," CARD_0, "total 1", "0 1073741824"},
                 {"NVIDIA_VISIBLE_DEVICES=" CARD_1 " CUDA_VISIBLE_DEVICES=0", "total 0", "0 3221225472"}};
    const char *settings = grant(CARDS_1G_3G "end\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int nvml_first = 0; nvml_first < 2; nvml_first++) {
            struct client client = client_start(with(settings, cases[i].visible));
            if (nvml_first)
                ask(&client, "nvml 0");
            expect(&client, "init", "0");
            expect(&client, cases[i].question, cases[i].answer);
            client_end(&client);
        }
    static const char *const nothing[] = {"CUDA_VISIBLE_DEVICES=", "CUDA_VISIBLE_DEVICES=-1",
                                          "CUDA_VISIBLE_DEVICES=GPU-none"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        struct client client = client_start(with(settings, nothing[i]));
        ask(&client, "init");
        CHECK(strncmp(ask(&client, "total 0"), "0 ", 2) != 0);
        expect(&client, "nvml 1", "0 total 3221225472 used 0 free 3221225472"); /* NVML lists them all the same */
        client_end(&client);
    }
}

TEST(a_visible_card_that_is_not_in_the_limits_file_gives_nothing)
{
    struct client client = client_start(grant(HEAD "card " CARD_1 " memory 2g\nend\n"));
    expect(&client, "start 0", "2"); /* not even a context */
    expect(&client, "context 0", "2");
    expect(&client, "total 0", "0 0");
    expect(&client, "nvml 0", "0 total 0 used 0 free 0");
    expect(&client, "total 1", "0 2147483648");
    expect(&client, "start 1", "0");
    expect(&client, "create 2097152 0", "2 0");
    expect(&client, "pool 1 0", "2 0");
    allocate(&client, 2 * GIB);
    client_end(&client);
}

static void expect_refusal(const char *settings, const char *why)
{
    char output[2048], line[1024];
    int status = run(settings, "$BUILD/bin/lab-cuda alloc 1", output, sizeof output);
    snprintf(line, sizeof line, "hami: %s%s; no device memory is given.\nCUDA_ERROR_OUT_OF_MEMORY\n",
             path_of("vgpu/limits"), why);
    if (status != 2 || strcmp(output, line) != 0)
        FAIL("%d, not 2; \"%s\", not \"%s\"", status, output, line);
}

TEST(a_limits_file_that_cannot_be_understood_grants_nothing_and_one_line_says_why)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", " is empty: nothing has been granted yet"},
        {"\n# soon\n", " is empty: nothing has been granted yet"},
        {CARDS_1G_3G, " is cut short: its last line is not \"end\""},
        {HEAD "card " CARD_0 " memory 10737", " is cut short: its last line is not \"end\""},
        {HEAD "en", " is cut short: its last line is not \"end\""},
        {"hami-limits 2\nend\n", ", line 1 is not \"hami-limits 1\", the only version this library knows"},
        {"card " CARD_0 " memory 1g\nend\n", ", line 1 is not \"hami-limits 1\", the only version this library knows"},
        {HEAD "card\nend\n", ", line 2 names no card"},
        {HEAD "card " CARD_0 "\nend\n", ", line 2 does not say how much memory"},
        {HEAD "card " CARD_0 " memory\nend\n", ", line 2 gives no value for \"memory\""},
        {HEAD "card " CARD_0 " memory lots\nend\n", ", line 2 has \"lots\", which is not a size in bytes"},
        {HEAD "card " CARD_0 " memory -1\nend\n", ", line 2 has \"-1\", which is not a size in bytes"},
        {HEAD "card " CARD_0 " memory 1g cores 101\nend\n",
         ", line 2 has \"101\", which is not a number from 0 to 100"},
        {HEAD "card " CARD_0 " memory 1g\ncard " CARD_0 " memory 2g\nend\n", ", line 3 names " CARD_0 " again"},
        {HEAD "policy Force\nend\n", ", line 2 has \"Force\", not default, force or disable"},
        {HEAD "priority high\nend\n", ", line 2 has \"high\", which is not a number"},
        {HEAD "region somewhere\nend\n", ", line 2 has \"somewhere\", which is not a path from the root"},
        {HEAD "oversubscribe yes\nend\n", ", line 2 has \"yes\", not true or false"},
        {HEAD "memory none\nend\n", ", line 2 has \"none\", not driver or library"},
        {HEAD "policy\nend\n", ", line 2 does not give \"policy\" one value"},
        {HEAD "end\ncard " CARD_0 " memory 1g\n", ", line 3 comes after the end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal(grant(cases[i].text), cases[i].why);
    const char *settings = grant(CARDS_1G_3G "end\n");
    CHECK(truncate(path_of("vgpu/limits"), 4096) == 0); /* zeroes behind */
    expect_refusal(settings, " has a zero byte in it");
    CHECK(truncate(path_of("vgpu/limits"), 1 << 20) == 0);
    expect_refusal(settings, " is longer than any we know");
}

TEST(a_limits_file_that_others_could_have_written_grants_nothing)
{
    const char *settings = grant(CARDS_1G_3G "end\n");
    char output[1024];
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    CHECK(chmod(path_of("vgpu/limits"), 0664) == 0);
    expect_refusal(settings, " can be written by others than its owner");
    CHECK(chmod(path_of("vgpu/limits"), 0646) == 0);
    expect_refusal(settings, " can be written by others than its owner");
    CHECK(chmod(path_of("vgpu/limits"), 0644) == 0 && chown(path_of("vgpu/limits"), 12345, 0) == 0);
    expect_refusal(settings, " does not belong to root, but to user 12345");
    CHECK(chown(path_of("vgpu/limits"), 65534, 0) == 0); /* nobody is somebody where user namespaces hide no one */
    expect_refusal(settings, " does not belong to root, but to user 65534");
    settings = grant(NULL);
    CHECK(symlink("/dev/null", path_of("vgpu/limits")) == 0);
    expect_refusal(settings, " cannot be opened (it is a link)");
    settings = grant(NULL);
    CHECK(mkdir(path_of("vgpu/limits"), 0755) == 0);
    expect_refusal(settings, " is not a regular file");
    settings = grant(NULL);
    CHECK(mkfifo(path_of("vgpu/limits"), 0644) == 0);
    expect_refusal(settings, " is not a regular file");
}

/* Where a user namespace does not know the host's root, its files are shown as the overflow user's. */
TEST(a_limits_file_of_a_root_whom_the_user_namespace_does_not_know_is_believed)
{
    char command[512], output[1024];
    const char *settings = grant(CARDS_1G_3G "end\n");
    const char *inside = "setpriv --reuid=12345 --regid=12345 --clear-groups unshare -U --map-user=1000";
    snprintf(command, sizeof command, "%s true 2>/dev/null", inside);
    if (run("LD_PRELOAD=", command, output, sizeof output) != 0)
        skip("no user namespaces here");
    snprintf(command, sizeof command, "%s test -x $BUILD/bin/lab-cuda", inside);
    if (run("LD_PRELOAD=", command, output, sizeof output) != 0)
        skip("this folder is closed to other users");
    CHECK(chmod(test_folder, 0777) == 0);
    snprintf(command, sizeof command, "%s sh -c '[ $(stat -c %%u %s) = 65534 ]'", inside, path_of("vgpu/limits"));
    CHECK_EQUAL(run("LD_PRELOAD=", command, output, sizeof output), 0);
    snprintf(command, sizeof command, "%s $BUILD/bin/lab-cuda alloc 1024", inside);
    CHECK_EQUAL(run(settings, command, output, sizeof output), 0);
    snprintf(command, sizeof command, "%s $BUILD/bin/lab-cuda alloc 1025", inside);
    CHECK_EQUAL(run(settings, command, output, sizeof output), 2);
}

TEST(without_a_limits_file_the_environment_counts)
{
    char output[1024];
    const char *settings = with(grant(NULL), "CUDA_DEVICE_MEMORY_LIMIT_0=1Gi");
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1025", output, sizeof output), 2);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    if (strcmp(output, "CUDA_SUCCESS\n") != 0)
        FAIL("%s", output);
}

TEST(what_a_later_agent_says_besides_is_passed_over)
{
    char output[1024];
    const char *settings = grant("\n  hami-limits\t1  # by 3.0\r\ncard " CARD_0
                                 "  memory 1024m numa 1 cores 0 # the first\r\nweather fine today\n\nend");
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    if (strcmp(output, "CUDA_SUCCESS\n") != 0)
        FAIL("%s", output);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1025", output, sizeof output), 2);
}

TEST(of_more_cards_than_sixteen_in_the_limits_file_the_rest_give_nothing)
{
    char limits[4096] = HEAD, uuid[64], output[2048];
    FILE *cards = fopen(path_of("cards"), "w");
    for (int i = 0; i < 19; i++) {
        snprintf(uuid, sizeof uuid, "GPU-000000%02d-0000-0000-0000-000000000000", i);
        fprintf(cards, "%s;Pretended T4;16384;40\n", uuid);
        sprintf(limits + strlen(limits), "card %s memory 1g\n", uuid);
    }
    fclose(cards);
    strcat(limits, "end\n");
    const char *settings = grant(limits);
    struct client client = client_start(settings);
    expect(&client, "start 15", "0");
    expect(&client, "alloc 1073741825", "2 0");
    allocate(&client, GIB);
    expect(&client, "start 16", "2");
    expect(&client, "nvml 18", "0 total 0 used 0 free 0");
    client_end(&client);
    run(settings, "$BUILD/bin/lab-cuda alloc 1", output, sizeof output);
    CHECK(strstr(output, "line 18 is beyond the 16 cards a container can have; none of its memory is given.\n"));
}

/* ---- the environment ---- */

TEST(each_text_of_the_environment_that_is_refused_is_named_in_a_line_of_its_own)
{
    char output[4096];
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT=4GB CUDA_DEVICE_MEMORY_LIMIT_1=-1 CUDA_DEVICE_SM_LIMIT=30% "
                    "GPU_CORE_UTILIZATION_POLICY=Forced CUDA_TASK_PRIORITY=high CUDA_OVERSUBSCRIBE=maybe "
                    "ACTIVE_OOM_KILLER=2 CUDA_DISABLE_CONTROL=no HAMI_MEMORY_ENFORCEMENT=kernel LIBCUDA_LOG_LEVEL=loud",
                    "$BUILD/bin/lab-cuda alloc 1", output, sizeof output),
                2);
    static const char *const lines[] = {
        "hami: CUDA_DEVICE_MEMORY_LIMIT=4GB is not a size such as 3000m or 2g; no device memory is given.\n",
        "hami: CUDA_DEVICE_MEMORY_LIMIT_1=-1 is not a size such as 3000m or 2g; no device memory is given.\n",
        "hami: CUDA_DEVICE_SM_LIMIT=30% is not a number of percent; no device memory is given.\n",
        "hami: GPU_CORE_UTILIZATION_POLICY=Forced is not default, force or disable; it is taken as default.\n",
        "hami: CUDA_TASK_PRIORITY=high is not a number; it is taken as 1, the low priority.\n",
        "hami: CUDA_OVERSUBSCRIBE=maybe is neither true nor false; it is taken as false.\n",
        "hami: ACTIVE_OOM_KILLER=2 is neither true nor false; it is taken as false.\n",
        "hami: CUDA_DISABLE_CONTROL=no is neither true nor false; it is taken as false.\n",
        "hami: HAMI_MEMORY_ENFORCEMENT=kernel is neither library nor driver; it is taken as library.\n",
        "hami: LIBCUDA_LOG_LEVEL=loud is not a number from 0 to 4; it is taken as 0.\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!strstr(output, lines[i]))
            FAIL("no \"%s\" in: %s", lines[i], output);
}

TEST(cores_that_are_no_number_give_nothing_and_more_than_all_are_all)
{
    char output[1024];
    CHECK_EQUAL(run("CUDA_DEVICE_SM_LIMIT=abc", "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 2);
    CHECK_EQUAL(run("CUDA_DEVICE_SM_LIMIT=0", "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 0);
    CHECK_EQUAL(run("CUDA_DEVICE_SM_LIMIT=200", "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 0);
    struct client client = client_start("CUDA_DEVICE_SM_LIMIT=200 CUDA_DEVICE_SM_LIMIT_1=0 CUDA_DEVICE_SM_LIMIT_2=7");
    expect(&client, "start 0", "0");
    allocate(&client, 1);
    const struct v1_region *v1 = region_look(path_of("region"));
    CHECK_EQUAL(v1->sm_limit_percent[0], 100);
    CHECK_EQUAL(v1->sm_limit_percent[1], 100);
    CHECK_EQUAL(v1->sm_limit_percent[2], 7);
    client_end(&client);
}

TEST(control_that_is_disabled_limits_nothing)
{
    char output[1024];
    CHECK_EQUAL(run("CUDA_DISABLE_CONTROL=true CUDA_DEVICE_MEMORY_LIMIT=1g CUDA_DEVICE_SM_LIMIT=abc",
                    "$BUILD/bin/lab-cuda alloc 2048", output, sizeof output),
                0);
    CHECK(strcmp(output, "CUDA_SUCCESS\n") == 0);
}
