/* Kernels on the pretended card, in real time. */
#define _GNU_SOURCE
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FORCED "GPU_CORE_UTILIZATION_POLICY=force HAMI_FAKE_KERNEL_NS=1000000 "

static void tell(struct client *client, const char *line)
{
    CHECK(write(client->to, line, strlen(line)) == (ssize_t)strlen(line));
}

static long hear(struct client *client)
{
    char line[64];
    size_t filled = 0;
    while (filled < sizeof line - 1 && read(client->from, &line[filled], 1) == 1 && line[filled] != '\n')
        filled++;
    line[filled] = '\0';
    CHECK(filled > 0);
    return strtol(line, NULL, 10);
}

static const char *region_path_of(const char *name)
{
    static char path[4200];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return path;
}

static void region_write(const char *name, size_t offset, int32_t value)
{
    int file = open(region_path_of(name), O_RDWR | O_CLOEXEC);
    CHECK(file >= 0 && pwrite(file, &value, sizeof value, (off_t)offset) == sizeof value);
    close(file);
}

/* The machine may be busy, so a share may come out too small; sometimes it must not, and never too large. */
static void check_share(struct client *client, const char *question, long least, long most)
{
    long got = 0;
    for (int i = 0; i < 10 && got < least; i++) {
        got = ask_number(client, "%s", question);
        if (got > most)
            FAIL("\"%s\" got %ld of 1000, more than %ld", question, got, most);
    }
    if (got < least)
        FAIL("\"%s\" got %ld of 1000, less than %ld", question, got, least);
}

/* What was taken of the share so far. */
static uint64_t taken_ns(const char *name)
{
    return extension_look(region_path_of(name))->pace[0].charged_ns;
}

#define RECENT offsetof(struct v1_region, recent_kernel)
#define SWITCH offsetof(struct v1_region, utilization_switch)

static void wait_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Until the client's background thread has launched more than so many. */
static void wait_launched(struct client *client, long more_than)
{
    while (ask_number(client, "sent") <= more_than)
        wait_ms(5);
}

/* True when it launches no more. One that is on its way may still go. */
static bool stands_still(struct client *client)
{
    wait_ms(40);
    long before = ask_number(client, "sent");
    wait_ms(60);
    return ask_number(client, "sent") == before;
}

TEST(a_forced_limit_gives_the_share_of_the_cards_time)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=30");
    check_share(&client, "spin kernel 1200 8", 220, 380);
    client_end(&client);
}

TEST(processes_of_a_container_share_one_budget_of_the_cards_time)
{
    struct client one = started(FORCED "CUDA_DEVICE_SM_LIMIT=40"), two = started(FORCED "CUDA_DEVICE_SM_LIMIT=40");
    long both = 0;
    for (int i = 0; i < 6 && both < 300; i++) {
        tell(&one, "spin kernel 1000 8\n");
        tell(&two, "spin kernel 1000 8\n");
        both = hear(&one) + hear(&two);
        CHECK(both <= 500);
    }
    CHECK(both >= 300);
    client_end(&one);
    client_end(&two);
}

TEST(the_policy_the_switch_and_the_limit_decide_whether_kernels_are_held_back)
{
    static const struct {
        const char *settings;
        int on; /* the monitor's switch */
        bool held;
    } cases[] = {
        {"CUDA_DEVICE_SM_LIMIT=10", 0, false},
        {"CUDA_DEVICE_SM_LIMIT=10", 1, true},
        {"CUDA_DEVICE_SM_LIMIT=10 GPU_CORE_UTILIZATION_POLICY=default", 1, true},
        {"CUDA_DEVICE_SM_LIMIT=10 GPU_CORE_UTILIZATION_POLICY=force", 0, true},
        {"CUDA_DEVICE_SM_LIMIT=10 GPU_CORE_UTILIZATION_POLICY=disable", 1, false},
        {"CUDA_DEVICE_SM_LIMIT=100 GPU_CORE_UTILIZATION_POLICY=force", 1, false},
        {"CUDA_DEVICE_SM_LIMIT=0 GPU_CORE_UTILIZATION_POLICY=force", 1, false},
        {"GPU_CORE_UTILIZATION_POLICY=force", 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char settings[512];
        snprintf(settings, sizeof settings, "HAMI_FAKE_KERNEL_NS=1000000 CUDA_DEVICE_MEMORY_SHARED_CACHE=%s/r%zu %s",
                 test_folder, i, cases[i].settings);
        struct client client = started(settings);
        expect(&client, "send kernel", "0");
        char name[16];
        snprintf(name, sizeof name, "r%zu", i);
        region_write(name, SWITCH, cases[i].on);
        expect(&client, "send kernel 5", "0"); /* what was granted before */
        uint64_t before = taken_ns(name);
        expect(&client, "send kernel 5", "0");
        uint64_t parent = taken_ns(name);
        ask_number(&client, "spin-in-child 20");
        uint64_t child = taken_ns(name);
        if ((parent != before) != cases[i].held || (child != parent) != cases[i].held)
            FAIL("%s, switch %d: taken %lld, by a child %lld", cases[i].settings, cases[i].on,
                 (long long)(parent - before), (long long)(child - parent));
        client_end(&client);
    }
}

TEST(a_switch_turned_while_kernels_run_is_noticed)
{
    struct client client = started("HAMI_FAKE_KERNEL_NS=100000 CUDA_DEVICE_SM_LIMIT=50");
    ask_number(&client, "background kernel");
    for (int round = 0; round < 3; round++) {
        region_write("region", SWITCH, 0);
        uint64_t before;
        do { /* until it stays */
            before = taken_ns("region");
            wait_launched(&client, ask_number(&client, "sent") + 200);
        } while (taken_ns("region") != before);
        region_write("region", SWITCH, 1);
        while (taken_ns("region") == before)
            wait_ms(5);
    }
    client_kill(&client);
}

static const char *const ways[] = {"kernel", "kernel_ptsz", "ex",   "ex_ptsz",    "cooperative", "cooperative_ptsz",
                                   "multi",  "launch",      "grid", "grid_async", "graph",       "graph_ptsz"};
enum { WAYS = sizeof ways / sizeof ways[0] };

TEST(by_every_way_to_launch_a_blocked_container_waits_for_its_turn)
{
    struct client client = started("HAMI_FAKE_KERNEL_NS=100000");
    expect(&client, "send kernel", "0");
    for (int i = 0; i < WAYS; i++) {
        region_write("region", RECENT, -1);
        ask_number(&client, "background %s", ways[i]);
        wait_ms(40);
        if (ask_number(&client, "sent") != 0)
            FAIL("%s passes", ways[i]);
        region_write("region", RECENT, 0);
        wait_launched(&client, 10);
        ask_number(&client, "halt");
        CHECK_EQUAL(region_look(region_path_of("region"))->recent_kernel, 2);
    }
    client_end(&client);
}

TEST(by_every_way_to_launch_the_share_holds)
{
    struct client client[WAYS];
    for (int i = 0; i < WAYS; i++) {
        char settings[512];
        snprintf(settings, sizeof settings,
                 FORCED "CUDA_DEVICE_SM_LIMIT=5 NVIDIA_VISIBLE_DEVICES=%s CUDA_DEVICE_MEMORY_SHARED_CACHE=%s/r%d",
                 i % 2 ? CARD_1 : CARD_0, test_folder, i);
        client[i] = started(settings);
    }
    for (int i = 0; i < WAYS; i++) {
        char line[64];
        snprintf(line, sizeof line, "spin %s 600 4\n", ways[i]);
        tell(&client[i], line);
    }
    for (int i = 0; i < WAYS; i++) {
        long got = hear(&client[i]);
        if (got > 110)
            FAIL("%s got %ld", ways[i], got);
        client_end(&client[i]);
    }
}

TEST(a_launch_says_that_the_container_is_active)
{
    struct client client = started("");
    expect(&client, "send kernel", "0");
    const struct v1_region *region = region_look(region_path_of("region"));
    region_write("region", RECENT, 1);
    region_write("region", offsetof(struct v1_region, last_kernel_time), 7);
    expect(&client, "send kernel", "0");
    CHECK_EQUAL(region->recent_kernel, 2);
    CHECK((time_t)region->last_kernel_time >= time(NULL) - 5);
    region_write("region", RECENT, 77); /* nobody writes that */
    expect(&client, "send kernel", "0");
    CHECK_EQUAL(region->recent_kernel, 2);
    client_end(&client);
}

TEST(monitors_see_what_each_process_has_of_the_card)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=40 CUDA_DEVICE_MEMORY_LIMIT=1g");
    ask_number(&client, "background kernel");
    const struct v1_region *region = region_look(region_path_of("region"));
    uint64_t percent;
    while ((percent = *(const volatile uint64_t *)&region->processes[0].utilization[0].sm) < 20)
        wait_ms(5);
    CHECK(percent <= 100);
    while (extension_look(region_path_of("region"))->pace[0].scale == 0) /* and we steer by it */
        wait_ms(5);
    client_kill(&client);
}

/* ---- the monitor of HAMi, as far as containers can tell ---- */

struct watched {
    const char *name;
    int priority;
};

static const struct v1_region *watched_region(const struct watched *watched)
{
    return region_look(region_path_of(watched->name));
}

static void monitor_tick(const struct watched watched[2])
{
    int active[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        int32_t recent = watched_region(&watched[i])->recent_kernel;
        if (recent <= 0)
            continue;
        region_write(watched[i].name, RECENT, --recent);
        if (recent > 0)
            active[watched[i].priority]++;
    }
    for (int i = 0; i < 2; i++) {
        int32_t recent = watched_region(&watched[i])->recent_kernel;
        bool blocked = watched[i].priority == 1 && active[0] > 0;
        if (blocked && recent >= 0)
            region_write(watched[i].name, RECENT, -1);
        if (!blocked && recent < 0)
            region_write(watched[i].name, RECENT, 0);
        region_write(watched[i].name, SWITCH, blocked || active[watched[i].priority] > 1);
    }
}

static struct client container(const struct watched *watched, const char *more)
{
    char settings[1024];
    snprintf(settings, sizeof settings,
             "HAMI_FAKE_KERNEL_NS=100000 CUDA_TASK_PRIORITY=%d CUDA_DEVICE_MEMORY_SHARED_CACHE=%s/%s %s",
             watched->priority, test_folder, watched->name, more);
    struct client client = started(settings);
    ask_number(&client, "background kernel");
    wait_launched(&client, 0);
    return client;
}

/* One tick, and then everybody has time to launch. */
static void tick(const struct watched watched[2], struct client client[2])
{
    monitor_tick(watched);
    for (int i = 0; i < 2; i++)
        if (watched_region(&watched[i])->recent_kernel >= 0)
            wait_launched(&client[i], ask_number(&client[i], "sent") + 1);
}

TEST(two_containers_of_equal_priority_are_both_held_back_and_a_lone_one_is_not)
{
    const struct watched watched[2] = {{"one", 1}, {"two", 1}};
    struct client client[2] = {container(&watched[0], "CUDA_DEVICE_SM_LIMIT=50"),
                               container(&watched[1], "CUDA_DEVICE_SM_LIMIT=50")};
    for (int round = 0; round < 4; round++) { /* it does not fade */
        tick(watched, client);
        CHECK_EQUAL(watched_region(&watched[0])->utilization_switch, 1);
        CHECK_EQUAL(watched_region(&watched[1])->utilization_switch, 1);
    }
    ask_number(&client[1], "halt");
    for (int i = 0; i < 3; i++)
        monitor_tick(watched), wait_ms(20);
    CHECK_EQUAL(watched_region(&watched[0])->utilization_switch, 0);
    CHECK_EQUAL(watched_region(&watched[0])->recent_kernel, 2);
    for (int i = 0; i < 2; i++)
        client_kill(&client[i]);
}

TEST(a_container_of_lower_priority_stops_while_the_higher_works_and_goes_on_after)
{
    const struct watched watched[2] = {{"high", 0}, {"low", 1}};
    struct client client[2] = {container(&watched[0], ""), container(&watched[1], "")}; /* no limit at all */
    tick(watched, client);
    tick(watched, client);
    CHECK_EQUAL(watched_region(&watched[1])->recent_kernel, -1);
    CHECK(stands_still(&client[1]));
    wait_launched(&client[0], ask_number(&client[0], "sent") + 10);
    ask_number(&client[0], "halt");
    for (int i = 0; i < 3; i++)
        monitor_tick(watched);
    wait_launched(&client[1], ask_number(&client[1], "sent") + 10);
    for (int i = 0; i < 2; i++)
        client_kill(&client[i]);
}

LASTING_TEST(a_block_by_a_monitor_that_lives_lasts_and_one_by_a_dead_monitor_ends)
{
    const struct watched one = {"one", 1}, two = {"two", 1};
    struct client living = container(&one, ""), dead = container(&two, "");
    region_write("one", RECENT, -1);
    region_write("two", RECENT, -7);
    CHECK(stands_still(&living) && stands_still(&dead));
    long before = ask_number(&living, "sent");
    for (int seconds = 0; seconds < 44; seconds++) {
        wait_ms(1000);
        if (watched_region(&one)->recent_kernel == 0) /* ours lives */
            region_write("one", RECENT, -1);
    }
    CHECK_EQUAL(ask_number(&living, "sent"), before);
    wait_launched(&dead, ask_number(&dead, "sent") + 10);
    CHECK_EQUAL(watched_region(&two)->recent_kernel, 2);
    client_kill(&living);
    client_kill(&dead);
}

/* ---- what must stay as it is ---- */

TEST(a_captured_stream_gets_no_events_of_ours_and_its_launches_cost_nothing)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=5");
    ask_number(&client, "spin kernel 200 4");
    for (int i = 0; i < WAYS; i++)
        if (strcmp(ways[i], "launch") != 0 && strcmp(ways[i], "grid") != 0) {  /* those know no stream */
            const char *given = ask(&client, "send-captured %s 300", ways[i]); /* would take six seconds each */
            if (strcmp(given, "0 events 0") != 0)
                FAIL("%s: %s", ways[i], given);
        }
    client_end(&client);
}

/* Asking about an event is what no thread may do while another captures, unless it says that it knows. */
TEST(our_marks_disturb_no_capture_of_another_thread)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=50 HAMI_FAKE_KERNEL_NS=100000");
    ask_number(&client, "background kernel");
    for (int i = 0; i < 20; i++) {
        wait_launched(&client, ask_number(&client, "sent") + 5);
        expect(&client, "send-captured kernel 3000", "0 events 0");
    }
    client_kill(&client);
}

TEST(event_calls_that_fail_never_fail_a_launch)
{
    static const char *const failing[] = {"cuEventRecord:0:999", "cuEventCreate:0:2", "cuEventQuery:0:700",
                                          "cuEventRecord:3:400"};
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        char settings[512];
        snprintf(
            settings, sizeof settings,
            "GPU_CORE_UTILIZATION_POLICY=force HAMI_FAKE_KERNEL_NS=10000 CUDA_DEVICE_SM_LIMIT=50 HAMI_FAKE_FAIL=%s",
            failing[i]);
        struct client client = started(settings);
        expect(&client, "send kernel 30", "0");
        client_end(&client);
    }
}

TEST(without_the_cards_clock_the_share_holds_by_ours)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=30 HAMI_FAKE_FAIL=cuEventElapsedTime:0:801");
    check_share(&client, "spin kernel 600 8", 150, 600); /* less sharp, above all on a busy machine */
    client_end(&client);
}

TEST(a_launch_that_fails_gives_the_drivers_code_and_takes_no_share)
{
    struct client client =
        started("GPU_CORE_UTILIZATION_POLICY=force HAMI_FAKE_KERNEL_NS=10000 CUDA_DEVICE_SM_LIMIT=1");
    struct client bare = client_start_bare("");
    expect(&bare, "start 0", "0");
    for (int i = 0; i < 300; i++) { /* at a guess of 10 ms each these would be five minutes */
        expect(&client, "blocks 0 1 1", "1");
        expect(&bare, "blocks 0 1 1", "1");
    }
    expect(&client, "no-context", "0");
    expect(&bare, "no-context", "0");
    expect(&client, "send kernel", "201");
    expect(&bare, "send kernel", "201");
    client_end(&client);
    client_end(&bare);
}

TEST(no_grid_is_so_large_that_it_costs_nothing)
{
    struct client client = started("GPU_CORE_UTILIZATION_POLICY=force CUDA_DEVICE_SM_LIMIT=50 HAMI_FAKE_BLOCK_NS=1000");
    const struct pace_shared *pace = &extension_look(region_path_of("region"))->pace[0];
    uint64_t before = pace->spent_until_ns;
    expect(&client, "blocks 65536 65536 1", "0"); /* 2^32 of them are ten minutes */
    CHECK(pace->spent_until_ns > before);
    ask_number(&client, "background kernel");
    CHECK(stands_still(&client));
    client_kill(&client);
}

TEST(the_next_process_is_not_held_up_by_what_a_killed_one_did)
{
    for (int round = 0; round < 5; round++) {
        struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=20");
        ask_number(&client, "background kernel");
        wait_launched(&client, 3 + round);
        client_kill(&client);
        struct client next = started(FORCED "CUDA_DEVICE_SM_LIMIT=20");
        expect(&next, "send kernel 10", "0");
        client_end(&next);
    }
}

TEST(after_an_exec_the_share_holds)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=10");
    ask_number(&client, "spin kernel 200 4");
    tell(&client, "exec\n");
    expect(&client, "start 0", "0");
    ask_number(&client, "spin kernel 100 4");
    check_share(&client, "spin kernel 500 4", 20, 220);
    client_end(&client);
}

/* The share of a card that both contexts, or the one that is on it, had. */
static void check_contexts(struct client *client, int cards, long least, long most)
{
    long got = 0;
    for (int i = 0, result; i < 10 && got < least; i++) {
        CHECK(sscanf(ask(client, "spin-in-contexts 400 %d", cards), "%d %ld", &result, &got) == 2 && result == 0);
        if (got > most)
            FAIL("got %ld of 1000, more than %ld", got, most);
    }
    CHECK(got >= least);
}

TEST(launches_into_streams_of_other_contexts_are_measured_there)
{
    struct client client = started(FORCED "CUDA_DEVICE_SM_LIMIT=20");
    check_contexts(&client, 1, 80, 360);
    expect(&client, "send kernel 20", "0"); /* the contexts are gone */
    client_end(&client);
}

/* A thread that launches on two cards in turn must not use the one's grant on the other. */
TEST(each_card_has_a_share_of_its_own)
{
    struct client first = started(FORCED "CUDA_DEVICE_SM_LIMIT_0=20 CUDA_DEVICE_SM_LIMIT_1=100");
    check_contexts(&first, 2, 80, 360);
    client_end(&first);
    struct client second = started(FORCED "CUDA_DEVICE_SM_LIMIT_1=20");
    check_contexts(&second, 2, 80, 360);
    client_end(&second);
}

TEST(only_a_limit_that_holds_kernels_back_has_a_thread)
{
    static const struct {
        const char *settings;
        int threads;
    } cases[] = {{"", 1},
                 {"CUDA_DEVICE_SM_LIMIT=100 GPU_CORE_UTILIZATION_POLICY=force", 1},
                 {"CUDA_DEVICE_SM_LIMIT=50 GPU_CORE_UTILIZATION_POLICY=disable", 1},
                 {"CUDA_DEVICE_SM_LIMIT=50 GPU_CORE_UTILIZATION_POLICY=force", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client = started(cases[i].settings);
        expect(&client, "send kernel 1000", "0");
        CHECK_EQUAL(ask_number(&client, "threads"), cases[i].threads);
        client_end(&client);
    }
}

LASTING_TEST(two_containers_that_ask_for_half_the_card_each_get_it)
{
    char settings[2][512];
    struct client client[2];
    for (int i = 0; i < 2; i++) {
        snprintf(settings[i], sizeof settings[i],
                 FORCED "CUDA_DEVICE_SM_LIMIT=50 CUDA_DEVICE_MEMORY_SHARED_CACHE=%s/r%d", test_folder, i);
        client[i] = started(settings[i]);
    }
    long got[2] = {0};
    for (int round = 0; round < 4 && (got[0] < 400 || got[1] < 400); round++) {
        for (int i = 0; i < 2; i++)
            tell(&client[i], "spin kernel 2500 8\n");
        for (int i = 0; i < 2; i++) {
            got[i] = hear(&client[i]);
            CHECK(got[i] <= 600);
        }
    }
    CHECK(got[0] >= 400 && got[1] >= 400);
    for (int i = 0; i < 2; i++)
        client_end(&client[i]);
}
