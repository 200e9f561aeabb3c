#define _GNU_SOURCE
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *build_folder;
char test_folder[64];
static struct test *tests, **last = &tests;
static int verdict; /* where a failing test writes why */

void test_register(struct test *test)
{
    *last = test;
    last = &test->next;
}

void fail_at(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dprintf(verdict, "%s:%d: ", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
    vdprintf(verdict, format, arguments);
    va_end(arguments);
    _exit(1);
}

enum { SKIPPED = 77 };

void skip(const char *reason)
{
    dprintf(verdict, "%s", reason);
    _exit(SKIPPED);
}

/* ---- running programs ---- */

static void apply(const char *settings)
{
    char copy[4096], *rest = copy;
    snprintf(copy, sizeof copy, "%s", settings);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word) {
            char *value = strchr(word, '=');
            *value++ = '\0';
            setenv(word, value, 1);
        }
}

static void apply_all(const char *settings, bool intercepted)
{
    char text[8192];
    snprintf(text, sizeof text,
             "HAMI_FAKE_DRIVER=%s/cards CUDA_DEVICE_MEMORY_SHARED_CACHE=%s/region LD_LIBRARY_PATH=%s/driver",
             test_folder, test_folder, build_folder);
    apply(text);
    if (intercepted) {
        snprintf(text, sizeof text, "%s/libvgpu.so", build_folder);
        setenv("LD_PRELOAD", text, 1);
    }
    apply(settings);
}

static struct client client_start_with(const char *settings, bool intercepted)
{
    int to[2], from[2];
    CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    struct client client = {.pid = fork(), .to = to[1], .from = from[0]};
    if (client.pid == 0) {
        char path[4096];
        dup2(to[0], 0);
        dup2(from[1], 1);
        apply_all(settings, intercepted);
        snprintf(path, sizeof path, "%s/tests/client", build_folder);
        execl(path, path, NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    return client;
}

struct client client_start(const char *settings)
{
    return client_start_with(settings, true);
}

struct client client_start_bare(const char *settings)
{
    return client_start_with(settings, false);
}

static const char *answer_of(struct client *client, const char *format, va_list arguments)
{
    static char answer[512];
    char question[512];
    int length = vsnprintf(question, sizeof question - 1, format, arguments);
    question[length++] = '\n';
    CHECK(write(client->to, question, (size_t)length) == length);
    size_t filled = 0;
    while (filled < sizeof answer - 1) {
        if (read(client->from, &answer[filled], 1) != 1)
            FAIL("the client died over: %.*s", length - 1, question);
        if (answer[filled] == '\n')
            break;
        filled++;
    }
    answer[filled] = '\0';
    return answer;
}

const char *ask(struct client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *answer = answer_of(client, format, arguments);
    va_end(arguments);
    return answer;
}

long long ask_number(struct client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *answer = answer_of(client, format, arguments);
    va_end(arguments);
    return strtoll(answer, NULL, 0);
}

uint64_t allocate(struct client *client, uint64_t bytes)
{
    int result;
    unsigned long long pointer;
    const char *answer = ask(client, "alloc %llu", (unsigned long long)bytes);
    if (sscanf(answer, "%d %llx", &result, &pointer) != 2 || result != 0)
        FAIL("allocating %llu bytes gave: %s", (unsigned long long)bytes, answer);
    return pointer;
}

void expect(struct client *client, const char *question, const char *answer)
{
    const char *given = ask(client, "%s", question);
    if (strcmp(given, answer) != 0)
        FAIL("\"%s\" gave \"%s\", not \"%s\"", question, given, answer);
}

void expect_soon(struct client *client, const char *question, const char *answer)
{
    for (int i = 0; i < 3000 && strcmp(ask(client, "%s", question), answer) != 0; i++)
        usleep(10000);
    expect(client, question, answer);
}

struct client started(const char *settings)
{
    struct client client = client_start(settings);
    expect(&client, "start 0", "0");
    return client;
}

void client_kill(struct client *client)
{
    kill(client->pid, SIGKILL);
    waitpid(client->pid, NULL, 0);
    close(client->to);
    close(client->from);
}

void client_end(struct client *client)
{
    int status;
    close(client->to);
    close(client->from);
    waitpid(client->pid, &status, 0);
    CHECK_EQUAL(status, 0);
}

int run(const char *settings, const char *command, char *output, size_t length)
{
    int from[2], status;
    CHECK(pipe2(from, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(from[1], 1);
        dup2(from[1], 2);
        apply_all(settings, true);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    close(from[1]);
    size_t filled = 0;
    ssize_t got;
    while (filled < length - 1 && (got = read(from[0], output + filled, length - 1 - filled)) > 0)
        filled += (size_t)got;
    output[filled] = '\0';
    close(from[0]);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *grant(const char *limits)
{
    static char settings[128];
    char command[4400];
    if (limits && geteuid() != 0)
        skip("a limits file that is believed belongs to root, and this is another user");
    snprintf(command, sizeof command,
             "cd %s && mkdir -p vgpu && rm -rf vgpu/limits && cp -f %s/libvgpu.so vgpu && chmod 755 . vgpu",
             test_folder, build_folder);
    CHECK(system(command) == 0);
    if (limits) {
        snprintf(command, sizeof command, "%s/vgpu/limits", test_folder);
        FILE *file = fopen(command, "w");
        CHECK(file && fputs(limits, file) >= 0 && fclose(file) == 0);
        CHECK(chmod(command, 0644) == 0);
    }
    snprintf(settings, sizeof settings, "LD_PRELOAD=%s/vgpu/libvgpu.so", test_folder);
    return settings;
}

static void *look(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    void *start = mmap(NULL, REGION_BYTES, PROT_READ, MAP_SHARED, file, 0);
    CHECK(start != MAP_FAILED);
    close(file);
    return start;
}

const struct v1_region *region_look(const char *path)
{
    return look(path);
}

const struct extension *extension_look(const char *path)
{
    return (const struct extension *)((const char *)look(path) + EXTENSION_OFFSET);
}

/* ---- running tests ---- */

static void folder_make(void)
{
    snprintf(test_folder, sizeof test_folder, "/tmp/libvgpu-test-XXXXXX");
    CHECK(mkdtemp(test_folder) != NULL);
    char path[4200];
    snprintf(path, sizeof path, "%s/cards", test_folder);
    FILE *cards = fopen(path, "w");
    CHECK(cards);
    fprintf(cards, "# uuid;model;memory_mib;sm_count\n%s;Pretended A100;40960;108\n%s;Pretended T4;16384;40\n", CARD_0,
            CARD_1);
    fclose(cards);
}

static void folder_remove(void)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder);
    if (system(command) != 0)
        fprintf(stderr, "%s stays\n", test_folder);
}

enum outcome { PASSED, FAILED, LEFT_OUT };

static enum outcome test_run(const struct test *test)
{
    int why[2], status;
    char reason[4096] = "";
    if (pipe2(why, O_CLOEXEC) != 0)
        return FAILED;
    folder_make();
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGPIPE, SIG_IGN);
        verdict = why[1];
        alarm(test->lasting ? 600 : 60);
        test->run();
        _exit(0);
    }
    setpgid(pid, pid);
    close(why[1]);
    size_t filled = 0;
    ssize_t got;
    while ((got = read(why[0], reason + filled, sizeof reason - 1 - filled)) > 0)
        filled += (size_t)got;
    close(why[0]);
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL); /* the clients it left */
    folder_remove();
    bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
    if (status == 0)
        printf("ok   %s\n", test->name);
    else if (skipped)
        printf("skip %s: %s\n", test->name, reason);
    else if (WIFSIGNALED(status))
        printf("FAIL %s: %s\n", test->name, strsignal(WTERMSIG(status)));
    else
        printf("FAIL %s: %s\n", test->name, reason);
    fflush(stdout);
    return status == 0 ? PASSED : skipped ? LEFT_OUT : FAILED;
}

int main(int count, char **arguments)
{
    bool lasting = false;
    const char *only = NULL;
    build_folder = getenv("BUILD");
    for (int i = 1; i < count; i++)
        if (strcmp(arguments[i], "--long") == 0)
            lasting = true;
        else
            only = arguments[i];
    if (!build_folder)
        return 2;
    int count_of[3] = {0, 0, 0};
    for (struct test *test = tests; test; test = test->next) {
        if ((test->lasting && !lasting) || (only && !strstr(test->name, only)))
            continue;
        count_of[test_run(test)]++;
    }
    printf("%d passed, %d failed", count_of[PASSED], count_of[FAILED]);
    printf(count_of[LEFT_OUT] > 0 ? ", %d skipped\n" : "\n", count_of[LEFT_OUT]);
    return count_of[FAILED] > 0;
}
