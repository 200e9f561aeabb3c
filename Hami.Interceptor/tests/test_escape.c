/* What a tenant may try against a limit that the node agent's file states. docs/threat-model.md names these tests. */
#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONE_GIB "hami-limits 1\ncard " CARD_0 " memory 1g\nend\n"

static const char *region_path(void)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/vgpu/region", test_folder);
    return path;
}

static void fill_region(int (*byte)(unsigned int *seed))
{
    unsigned int seed = 7;
    static unsigned char bytes[REGION_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)byte(&seed);
    int file = open(region_path(), O_WRONLY | O_CLOEXEC);
    CHECK(file >= 0 && write(file, bytes, sizeof bytes) == sizeof bytes);
    close(file);
}

static int zero(unsigned int *seed)
{
    (void)seed;
    return 0;
}

static int ones(unsigned int *seed)
{
    (void)seed;
    return 0xff;
}

TEST(whatever_is_written_into_the_region_a_process_is_held_to_its_limit)
{
    static int (*const fillings[])(unsigned int *) = {zero, ones, rand_r};
    const char *settings = grant(ONE_GIB);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    uint64_t half = allocate(&client, GIB / 2);
    for (size_t i = 0; i < sizeof fillings / sizeof fillings[0]; i++) {
        fill_region(fillings[i]);
        expect(&client, "alloc 536870913", "2 0");
        fill_region(fillings[i]);
        CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)half), 0);
        fill_region(fillings[i]);
        half = 0;
        fill_region(zero); /* or else what others seem to hold is in the way */
        expect(&client, "alloc 1073741825", "2 0");
        half = allocate(&client, GIB / 2);
    }
    fill_region(zero);
    allocate(&client, GIB / 2);
    for (int i = 0; i < 3; i++) {
        fill_region(zero);
        expect(&client, "alloc 1", "2 0");
    }
    expect(&client, "info", "0 free 0 total 1073741824");
    client_end(&client);
}

/* Its pending bytes wiped out at every moment, a process must still not pass with more than there is. */
TEST(a_region_that_is_wiped_all_the_time_lets_no_thread_past_the_limit)
{
    struct client client = client_start(grant(ONE_GIB));
    expect(&client, "start 0", "0");
    allocate(&client, GIB - MIB);
    pid_t wiper = fork();
    if (wiper == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test ends early */
        int file = open(region_path(), O_WRONLY | O_CLOEXEC);
        static const char nothing[sizeof(struct slot)];
        for (;;)
            if (pwrite(file, nothing, sizeof nothing, EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots)) < 0)
                _exit(1);
    }
    CHECK(strncmp(ask(&client, "hammer 8 2000 %llu", (unsigned long long)MIB), "wrong 0 ", 8) == 0);
    char path[160];
    snprintf(path, sizeof path, "%s/cards.state", test_folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t peak_bytes = 0;
    CHECK(file >= 0 && read(file, &peak_bytes, sizeof peak_bytes) == sizeof peak_bytes); /* of the first card */
    CHECK(peak_bytes > GIB - MIB && peak_bytes <= GIB);
    client_kill(&(struct client){wiper, -1, -1});
    client_end(&client);
}

TEST(a_region_deleted_leaves_every_process_with_the_limit_of_the_file)
{
    char output[1024];
    const char *settings = grant(ONE_GIB);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    allocate(&client, GIB / 2);
    CHECK(unlink(region_path()) == 0);
    expect(&client, "alloc 536870913", "2 0");
    allocate(&client, GIB / 2);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1025", output, sizeof output), 2);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    client_end(&client);
}

TEST(a_region_made_foreign_is_mended_and_the_container_keeps_one_budget)
{
    static const off_t places[] = {0, 4, EXTENSION_OFFSET,
                                   EXTENSION_OFFSET + (off_t)offsetof(struct extension, version),
                                   EXTENSION_OFFSET + (off_t)offsetof(struct extension, slot_bytes)};
    char output[1024];
    const char *settings = grant(ONE_GIB);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    allocate(&client, GIB / 2);
    int file = open(region_path(), O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int32_t wrong = 99;
        CHECK(file >= 0 && pwrite(file, &wrong, sizeof wrong, places[i]) == sizeof wrong);
        CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 513", output, sizeof output), 2);
        CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 512", output, sizeof output), 0);
        CHECK(strcmp(output, "CUDA_SUCCESS\n") == 0);
    }
    close(file);
    client_end(&client);
}

/* The kernel ends a process that touches what is no longer in the file: nobody gets more by it. */
TEST(a_region_cut_off_under_a_process_ends_it_or_holds_it)
{
    struct client client = client_start(grant(ONE_GIB));
    int status;
    char answer[64] = "";
    expect(&client, "start 0", "0");
    allocate(&client, GIB / 2);
    CHECK(truncate(region_path(), 0) == 0);
    bool asked = write(client.to, "alloc 536870913\n", 16) == 16; /* else it is gone already */
    if (asked && read(client.from, answer, sizeof answer - 1) > 0) {
        CHECK(strcmp(answer, "2 0\n") == 0);
        client_end(&client);
        return;
    }
    CHECK(waitpid(client.pid, &status, 0) == client.pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* ---- the mount of /etc/ld.so.preload, as in a container ---- */

/* In a mount namespace of its own where the library lies in /usr/local/vgpu and /etc/ld.so.preload names it. */
static int run_mounted(const char *limits, const char *script, char *output, size_t length)
{
    grant(limits);
    char command[2048];
    snprintf(command, sizeof command,
             "T=%s; unshare -m sh -ec '"
             "mount -t tmpfs tmpfs /usr/local; mkdir /usr/local/vgpu; cp '$T'/vgpu/* /usr/local/vgpu; "
             "mkdir '$T'/etc; cp -a /etc/ld.so.c* /etc/passwd '$T'/etc; "
             "echo /usr/local/vgpu/libvgpu.so >'$T'/etc/ld.so.preload; chmod 644 '$T'/etc/ld.so.preload; "
             "mount --bind '$T'/etc /etc; %s'",
             test_folder, script);
    return run("LD_PRELOAD=", command, output, length);
}

static void check_mounts(void)
{
    char output[1024];
    if (geteuid() != 0 || run("LD_PRELOAD=", "unshare -m mount -t tmpfs tmpfs /usr/local", output, sizeof output) != 0)
        skip("no mounts of its own for this user");
}

static void expect_mounted(const char *limits, const char *script, int status)
{
    char output[2048];
    int given = run_mounted(limits, script, output, sizeof output);
    if (given != status)
        FAIL("\"%s\" ended with %d, not %d: %s", script, given, status, output);
    snprintf(output, sizeof output, "rm -rf %s/etc", test_folder);
    CHECK(system(output) == 0);
}

TEST(with_the_preload_mounted_neither_environment_nor_child_lifts_the_limit)
{
    check_mounts();
    static const char *const preludes[] = {
        "",
        "env -u LD_PRELOAD ",
        "env LD_PRELOAD= ",
        "env -i LD_LIBRARY_PATH=$LD_LIBRARY_PATH HAMI_FAKE_DRIVER=$HAMI_FAKE_DRIVER ",
        "env CUDA_DEVICE_MEMORY_LIMIT=30g CUDA_DEVICE_MEMORY_LIMIT_0=30g ",
        "env CUDA_DEVICE_MEMORY_SHARED_CACHE=/tmp/elsewhere CUDA_DEVICE_MEMORY_LIMIT_0=0 ",
        "env CUDA_DISABLE_CONTROL=true ",
        "env HAMI_MEMORY_ENFORCEMENT=driver ",
        "env CUDA_VISIBLE_DEVICES=" CARD_0 " NVIDIA_VISIBLE_DEVICES=all ",
        "sh -c \"unset LD_PRELOAD CUDA_DEVICE_MEMORY_LIMIT_0; exec \\\"\\$@\\\"\" sh "};
    char script[512];
    for (size_t i = 0; i < sizeof preludes / sizeof preludes[0]; i++) {
        snprintf(script, sizeof script, "exec %s$BUILD/bin/lab-cuda alloc 1024", preludes[i]);
        expect_mounted(ONE_GIB, script, 0);
        snprintf(script, sizeof script, "exec %s$BUILD/bin/lab-cuda alloc 1025", preludes[i]);
        expect_mounted(ONE_GIB, script, 2);
    }
}

TEST(a_copy_of_the_library_preloaded_before_the_mounted_one_is_held_to_the_same_file)
{
    check_mounts();
    expect_mounted(ONE_GIB,
                   "cp /usr/local/vgpu/libvgpu.so $HAMI_FAKE_DRIVER.so; "
                   "LD_PRELOAD=$HAMI_FAKE_DRIVER.so exec $BUILD/bin/lab-cuda alloc 1025",
                   2);
}

TEST(a_file_that_the_agent_has_not_filled_yet_gives_nothing_and_filled_in_place_what_it_says)
{
    check_mounts();
    expect_mounted("", "exec $BUILD/bin/lab-cuda alloc 1", 2);
    expect_mounted(
        "",
        "F=/usr/local/vgpu/limits; mount --bind $F $F; "
        "printf \"hami-limits 1\\ncard " CARD_0 " memory 1g\\n\" >$F; "
        "$BUILD/bin/lab-cuda alloc 1 && exit 9; "
        "echo end >>$F; $BUILD/bin/lab-cuda alloc 1025 && exit 9; "
        "rm -f $F 2>/dev/null && exit 8; mv $F $F.off 2>/dev/null && exit 8; " /* a mount stays where it is */
        "exec $BUILD/bin/lab-cuda alloc 1024",
        0);
}

/* A mount cannot be moved, but the folder above it can, by whoever may write there. docs/threat-model.md says so. */
TEST(root_in_a_container_that_moves_the_folder_of_the_library_away_is_not_stopped)
{
    check_mounts();
    expect_mounted(ONE_GIB,
                   "for F in libvgpu.so limits; do mount --bind /usr/local/vgpu/$F /usr/local/vgpu/$F; done; "
                   "mv /usr/local/vgpu /usr/local/gone; exec $BUILD/bin/lab-cuda alloc 1025",
                   0);
}
