#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *region_path(void)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/region", test_folder);
    return path;
}

static uint64_t word(const char *start, size_t offset)
{
    uint64_t value;
    memcpy(&value, start + offset, sizeof value);
    return value;
}

static int32_t half(const char *start, size_t offset)
{
    int32_t value;
    memcpy(&value, start + offset, sizeof value);
    return value;
}

TEST(the_region_reads_as_HAMi_v1_2_at_its_byte_offsets)
{
    struct client client = client_start(
        "CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_SM_LIMIT=30 CUDA_TASK_PRIORITY=0 NVIDIA_VISIBLE_DEVICES=" CARD_0);
    expect(&client, "start 0", "0");
    uint64_t pointer = allocate(&client, 123456);
    const char *v1 = (const char *)region_look(region_path());
    CHECK_EQUAL(half(v1, 0), 19920718);
    CHECK_EQUAL(half(v1, 4), 1);
    CHECK_EQUAL(half(v1, 8), 2);
    CHECK_EQUAL(word(v1, 56), 1);
    CHECK(strcmp(v1 + 64, CARD_0) == 0);
    CHECK_EQUAL(word(v1, 1600), GIB);
    CHECK_EQUAL(word(v1, 1608), 0);
    CHECK_EQUAL(word(v1, 1728), 30);
    CHECK_EQUAL(half(v1, 1856), client.pid);
    CHECK_EQUAL(word(v1, 1856 + 8 + 16), 123456); /* data */
    CHECK_EQUAL(word(v1, 1856 + 8 + 32), 123456); /* total */
    CHECK_EQUAL(half(v1, 1856 + 1928), 1);
    CHECK_EQUAL(half(v1, 2008896), 1);
    CHECK_EQUAL(half(v1, 2008900), 1);
    CHECK_EQUAL(half(v1, 2008904), 2);
    CHECK_EQUAL(half(v1, 2008908), 0);
    CHECK(word(v1, 2008912) > 1700000000);
    CHECK_EQUAL(ask_number(&client, "free %llx", (unsigned long long)pointer), 0);
    CHECK_EQUAL(word(v1, 1856 + 8 + 32), 0);
    struct stat file;
    CHECK(stat(region_path(), &file) == 0);
    CHECK_EQUAL(file.st_size, REGION_BYTES);
    CHECK_EQUAL(file.st_mode & 0777, 0666);
    client_end(&client);
}

TEST(cards_not_allocated_by_name_are_named_when_first_used)
{
    struct client client = client_start("CUDA_VISIBLE_DEVICES=1");
    expect(&client, "start 0", "0");
    allocate(&client, 1);
    const struct v1_region *v1 = region_look(region_path());
    CHECK_EQUAL(v1->device_count, 2);
    CHECK(strcmp(v1->uuids[1], CARD_1) == 0);
    CHECK_EQUAL(v1->processes[0].used[1].total_bytes, 1);
    client_end(&client);
}

TEST(a_reclaimed_slot_is_empty_in_both_layouts)
{
    struct client one = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&one, "start 0", "0");
    allocate(&one, GIB);
    client_kill(&one);
    struct client two = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&two, "start 0", "0");
    expect(&two, "info", "0 free 1073741824 total 1073741824");
    const struct v1_region *v1 = region_look(region_path());
    const struct extension *extension = extension_look(region_path());
    CHECK_EQUAL(v1->processes[0].pid, two.pid); /* the place is taken again */
    CHECK_EQUAL(v1->processes[0].used[0].total_bytes, 0);
    CHECK_EQUAL(extension->slots[0].device[0].used_bytes, 0);
    CHECK_EQUAL(extension->slots_high, 1);
    client_end(&two);
}

TEST(a_region_made_beforehand_at_its_full_size_is_used)
{
    int file = open(region_path(), O_RDWR | O_CREAT, 0666);
    CHECK(file >= 0 && ftruncate(file, REGION_BYTES) == 0);
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    CHECK_EQUAL(region_look(region_path())->processes[0].used[0].total_bytes, GIB);
    client_end(&client);
}

static void check_alone(const char *settings, const char *expected_warning)
{
    char output[1024];
    CHECK_EQUAL(run(settings, "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1025", output, sizeof output), 2);
    if (!strstr(output, expected_warning) ||
        strstr(output, "\n") != strrchr(output, '\n') - strlen("CUDA_ERROR_OUT_OF_MEMORY") - 1)
        FAIL("%s", output);
    CHECK_EQUAL(run(settings, "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1024", output, sizeof output), 0);
}

TEST(without_a_usable_region_the_limit_holds_for_the_process_and_one_line_says_so)
{
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_SHARED_CACHE=/nowhere/region",
                "hami: /nowhere/region cannot be used (No such file or directory)");
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_SHARED_CACHE=/proc/version", "hami: /proc/version ");
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_SHARED_CACHE=/tmp", "cannot be used");
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g CUDA_DEVICE_MEMORY_SHARED_CACHE=/dev/null", "cannot be used");
    char *path = region_path();
    CHECK(mkfifo(path, 0666) == 0);
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "cannot be used");
    CHECK(unlink(path) == 0 && symlink("/dev/null", path) == 0);
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "cannot be used");
    CHECK(unlink(path) == 0);
    FILE *garbage = fopen(path, "w");
    fputs("this is somebody's letter", garbage);
    fclose(garbage);
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "has another format");
    struct stat letter;
    CHECK(stat(path, &letter) == 0);
    CHECK_EQUAL(letter.st_size, 25); /* and stays as it was */
}

static void region_make(const void *start, size_t length)
{
    int file = open(region_path(), O_RDWR | O_CREAT | O_TRUNC, 0666);
    CHECK(file >= 0 && write(file, start, length) == (ssize_t)length);
    close(file);
}

TEST(a_region_cut_short_is_completed_and_one_of_another_version_is_left_alone)
{
    int32_t head[3] = {V1_MAGIC, V1_MAJOR, 1};
    char output[1024];
    region_make(head, sizeof head);
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 2);
    client_end(&client);

    head[1] = V1_MAJOR + 1;
    region_make(head, sizeof head);
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "has another format");
}

#define FAILING " LD_PRELOAD=%s/libvgpu.so:%s/tests/libfailing.so CUDA_DEVICE_MEMORY_LIMIT_0=1g"

TEST(a_full_disk_and_a_signal_in_the_middle_are_no_harm)
{
    char settings[8400], output[1024];
    snprintf(settings, sizeof settings, "FAIL=full" FAILING, build_folder, build_folder);
    check_alone(settings, "cannot be used (No space left on device)");
    snprintf(settings, sizeof settings, "FAIL=interrupted" FAILING, build_folder, build_folder);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    if (strcmp(output, "CUDA_SUCCESS\n") != 0)
        FAIL("%s", output);
}

TEST(without_any_memory_for_the_books_nothing_is_given_and_nothing_crashes)
{
    char settings[8400], output[1024];
    int32_t head[3] = {V1_MAGIC, V1_MAJOR + 1, 0}; /* mapped, looked at, and given up */
    region_make(head, sizeof head);
    snprintf(settings, sizeof settings, "FAIL=anonymous" FAILING, build_folder, build_folder);
    CHECK_EQUAL(run(settings, "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 2);
}

TEST(a_limit_on_the_size_of_files_does_not_end_the_program)
{
    char output[1024]; /* the pretended driver's own file is made first */
    CHECK_EQUAL(run("", "$BUILD/bin/lab-cuda alloc 1", output, sizeof output), 0);
    CHECK(unlink(region_path()) == 0);
    CHECK_EQUAL(
        run("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "ulimit -f 1; $BUILD/bin/lab-cuda alloc 1024", output, sizeof output), 0);
    CHECK(strstr(output, "cannot be used (File too large)"));
}

/* One thread clears a dead slot away while another calls exec: the new image finds its own mark on it. */
TEST(a_slot_half_cleared_before_an_exec_is_cleared_after_it)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, 1);
    int file = open(region_path(), O_RDWR);
    uint64_t mark = extension_look(region_path())->slots[0].owner | UINT64_C(1) << 63, bytes = GIB;
    uint32_t high = 2;
    off_t extension = EXTENSION_OFFSET;
    off_t slot = extension + (off_t)offsetof(struct extension, slots) + (off_t)sizeof(struct slot);
    CHECK(pwrite(file, &bytes, 8, slot + (off_t)offsetof(struct slot, device)) == 8);
    CHECK(pwrite(file, &mark, 8, slot) == 8);
    CHECK(pwrite(file, &high, 4, extension + (off_t)offsetof(struct extension, slots_high)) == 4);
    CHECK(write(client.to, "exec\n", 5) == 5);
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 1073741824 total 1073741824");
    allocate(&client, GIB);
    client_end(&client);
}

TEST(a_full_table_leaves_the_process_with_a_budget_of_its_own)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, 1);
    int file = open(region_path(), O_RDWR);
    uint64_t owner = extension_look(region_path())->slots[0].owner;
    uint32_t namespace = extension_look(region_path())->slots[0].pid_namespace, all = SLOTS_MAX;
    for (int i = 1; i < SLOTS_MAX; i++) { /* as if taken by living processes */
        off_t slot = EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots) + i * (off_t)sizeof(struct slot);
        CHECK(pwrite(file, &namespace, 4, slot + (off_t)offsetof(struct slot, pid_namespace)) == 4);
        CHECK(pwrite(file, &owner, 8, slot) == 8);
    }
    CHECK(pwrite(file, &all, 4, EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots_high)) == 4);
    check_alone("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "has 1024 live processes already");
    client_end(&client);
    char output[1024]; /* their end empties the table */
    CHECK_EQUAL(
        run("CUDA_DEVICE_MEMORY_LIMIT_0=1g", "$LD_LIBRARY_PATH/../bin/lab-cuda alloc 1024", output, sizeof output), 0);
    if (strcmp(output, "CUDA_SUCCESS\n") != 0)
        FAIL("%s", output);
}

static void slot_lock_as(int file, int index, short kind)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_len = 1};
    lock.l_start = EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots) + index * (off_t)sizeof(struct slot);
    CHECK(fcntl(file, F_OFD_SETLK, &lock) == 0);
}

/* We play a process of another pid namespace: its pid says nothing here, its lock says everything. */
TEST(a_process_of_another_pid_namespace_lives_as_long_as_its_lock)
{
    struct client client = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&client, "start 0", "0");
    allocate(&client, 1);
    int file = open(region_path(), O_RDWR);
    uint64_t owner = UINT64_C(123456789) << 22 | 4194303, bytes = GIB / 2;
    uint32_t namespace = 7, high = 2;
    off_t slot = EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots) + (off_t)sizeof(struct slot);
    slot_lock_as(file, 1, F_WRLCK);
    CHECK(pwrite(file, &high, 4, EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots_high)) == 4);
    CHECK(pwrite(file, &namespace, 4, slot + (off_t)offsetof(struct slot, pid_namespace)) == 4);
    CHECK(pwrite(file, &bytes, 8, slot + (off_t)offsetof(struct slot, device)) == 8);
    CHECK(pwrite(file, &owner, 8, slot) == 8);
    expect(&client, "info", "0 free 536870911 total 1073741824");
    expect(&client, "alloc 536870912", "2 0");
    slot_lock_as(file, 1, F_UNLCK);
    expect(&client, "info", "0 free 1073741823 total 1073741824");

    slot_lock_as(file, 1, F_WRLCK); /* about to take the free place, or still clearing it */
    struct client next = client_start("CUDA_DEVICE_MEMORY_LIMIT_0=1g");
    expect(&next, "start 0", "0");
    allocate(&next, 1);
    CHECK_EQUAL(extension_look(region_path())->slots[1].owner, 0);
    CHECK_EQUAL(extension_look(region_path())->slots[2].device[0].used_bytes, 1);
    client_end(&next);
    client_end(&client);
}

/* In a new pid namespace that still sees the old /proc, pids read there are somebody else's. */
TEST(a_proc_of_another_pid_namespace_is_not_believed)
{
    char output[1024];
    if (run("LD_PRELOAD=", "unshare -pf true 2>/dev/null", output, sizeof output) != 0)
        return; /* not allowed to try */
    CHECK_EQUAL(run("CUDA_DEVICE_MEMORY_LIMIT_0=1g",
                    "unshare -pf sh -c '$BUILD/bin/lab-cuda alloc 1024 --hold 30 >$HAMI_FAKE_DRIVER.out & "
                    "while ! [ -s $HAMI_FAKE_DRIVER.out ]; do sleep 0.02; done; $BUILD/bin/lab-cuda alloc 1'",
                    output, sizeof output),
                2);
    CHECK_EQUAL(extension_look(region_path())->slots[0].pid_namespace, 0);
}
