/* The node agent tells a process by which pid the node knows it. Here a thread plays the agent. */
#define _GNU_SOURCE
#include "testing.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SHIFT = 1000000 };

enum manner { TRUTHFUL, IN_PIECES, SILENT, CLOSING, GARBAGE, HUGE, ZERO, ENDLESS, CHATTY, MANNERS };

struct agent {
    int listener;
    enum manner manner;
    _Atomic int asked;
};

static void say(int caller, const char *text)
{
    (void)!send(caller, text, strlen(text), MSG_NOSIGNAL);
}

static void answer(int caller, enum manner manner)
{
    static const char *const said[MANNERS] = {[GARBAGE] = "who are you?\n",
                                              [HUGE] = "pid 99999999999999999999\n",
                                              [ZERO] = "pid 0\n",
                                              [ENDLESS] = "pid 11111111111111111111111111111111111111111111",
                                              [CHATTY] = "pid 12\npid 13\n"};
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    char text[32];
    getsockopt(caller, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    snprintf(text, sizeof text, "pid %d\n", credentials.pid + SHIFT);
    if (manner == TRUTHFUL || manner == IN_PIECES) {
        for (size_t i = 0; manner == IN_PIECES && text[i + 1]; i++) {
            (void)!send(caller, text + i, 1, MSG_NOSIGNAL);
            usleep(500);
        }
        say(caller, manner == TRUTHFUL ? text : "\n");
    } else if (said[manner]) {
        say(caller, said[manner]);
    }
}

static void *serve(void *argument)
{
    struct agent *agent = argument;
    for (;;) {
        int caller = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC);
        if (caller < 0)
            return NULL;
        answer(caller, agent->manner);
        agent->asked++;
        if (agent->manner == CLOSING)
            close(caller);
    }
}

static struct agent *agent_play(const char *path, enum manner manner)
{
    static struct agent agent;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    agent.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    agent.manner = manner;
    agent.asked = 0;
    CHECK(bind(agent.listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(agent.listener, 64) == 0);
    CHECK(pthread_create(&thread, NULL, serve, &agent) == 0);
    return &agent;
}

static const char *beside_the_library(void)
{
    static char path[160];
    char folder[128];
    snprintf(folder, sizeof folder, "%s/vgpu/agent", test_folder);
    CHECK(mkdir(folder, 0755) == 0);
    snprintf(path, sizeof path, "%s/agent.sock", folder);
    return path;
}

static int host_pid_noted(const char *region)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", test_folder, region);
    return region_look(path)->processes[0].host_pid;
}

/* In a container the node knows processes by other pids; the pretended driver lists them by those of the node. */
static const char *contained(const char *limits, const char *more)
{
    static char settings[512];
    snprintf(settings, sizeof settings, "%s:%s/tests/libfailing.so FAIL=namespace HAMI_FAKE_PID_SHIFT=%d %s",
             grant(limits), build_folder, SHIFT, more);
    return settings;
}

#define SMALL "CUDA_DEVICE_MEMORY_LIMIT_0=1g HAMI_FAKE_CONTEXT=100"

TEST(a_process_learns_from_the_agent_by_which_pid_the_node_knows_it)
{
    const char *settings = contained(NULL, SMALL);
    agent_play(beside_the_library(), TRUTHFUL);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    expect(&client, "info", "0 free 968884224 total 1073741824"); /* its context is found in the driver's list */
    CHECK_EQUAL(host_pid_noted("region"), client.pid + SHIFT);
    char list[64];
    snprintf(list, sizeof list, "0 count 1 %d 104857600", client.pid);
    expect(&client, "processes nvmlDeviceGetComputeRunningProcesses_v2 0 9 24", list);
    client_end(&client);
}

TEST(the_limits_file_names_the_agents_socket)
{
    char path[128], limits[512];
    snprintf(path, sizeof path, "%s/elsewhere", test_folder);
    snprintf(limits, sizeof limits, "hami-limits 1\ncard " CARD_0 " memory 1g\nagent %s\nend\n", path);
    const char *settings = contained(limits, "HAMI_FAKE_CONTEXT=100");
    agent_play(path, IN_PIECES);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    CHECK_EQUAL(host_pid_noted("vgpu/region"), client.pid + SHIFT);
    client_end(&client);
}

TEST(an_agent_that_talks_nonsense_or_not_at_all_is_no_harm)
{
    const char *settings = contained(NULL, SMALL);
    char path[160];
    snprintf(path, sizeof path, "%s", beside_the_library());
    for (enum manner manner = SILENT; manner < MANNERS; manner++) {
        struct agent *agent = agent_play(path, manner);
        struct client client = client_start(settings);
        expect(&client, "start 0", "0");
        allocate(&client, GIB / 2);
        CHECK_EQUAL(host_pid_noted("region"), 0);
        CHECK_EQUAL(agent->asked, 1);
        client_end(&client);
        shutdown(agent->listener, SHUT_RDWR);
        close(agent->listener);
        char command[256];
        snprintf(command, sizeof command, "%s/region", test_folder);
        CHECK(unlink(command) == 0);
    }
}

TEST(nobody_is_asked_where_there_is_no_limit_or_no_memory_wanted)
{
    char output[8192];
    const char *settings = contained(NULL, "");
    struct agent *agent = agent_play(beside_the_library(), TRUTHFUL);
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    allocate(&client, GIB);
    client_end(&client);
    CHECK_EQUAL(run(contained(NULL, SMALL), "$BUILD/bin/nvidia-smi", output, sizeof output), 0);
    CHECK_EQUAL(agent->asked, 0);
}
