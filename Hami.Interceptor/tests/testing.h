/* Tests are sentences; each runs in a process and an empty folder of its own, and talks to CUDA clients
 * (tests/client.c) that run under the interceptor on the pretended driver. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../library/region.h"

#define CARD_0 "GPU-00000000-0000-0000-0000-0000000000aa"
#define CARD_1 "GPU-11111111-0000-0000-0000-0000000000bb"
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct test {
    const char *name;
    void (*run)(void);
    bool lasting; /* only with --long */
    struct test *next;
};
void test_register(struct test *test);

#define TEST_OF(sentence, is_lasting)                                                                                  \
    static void sentence(void);                                                                                        \
    __attribute__((constructor)) static void register_##sentence(void)                                                 \
    {                                                                                                                  \
        static struct test test = {#sentence, sentence, is_lasting, NULL};                                             \
        test_register(&test);                                                                                          \
    }                                                                                                                  \
    static void sentence(void)
#define TEST(sentence) TEST_OF(sentence, false)
#define LASTING_TEST(sentence) TEST_OF(sentence, true)

/* Ends the test as failed. */
__attribute__((noreturn, format(printf, 3, 4))) void fail_at(const char *file, int line, const char *format, ...);
#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
/* Ends the test as one that could not be tried here. */
__attribute__((noreturn)) void skip(const char *reason);
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            FAIL("not so: %s", #condition);                                                                            \
    } while (0)
#define CHECK_EQUAL(left, right)                                                                                       \
    do {                                                                                                               \
        long long l_ = (long long)(left), r_ = (long long)(right);                                                     \
        if (l_ != r_)                                                                                                  \
            FAIL("%s is %lld, not %s (%lld)", #left, l_, #right, r_);                                                  \
    } while (0)

/* The artefacts; the folder of this test. */
extern const char *build_folder;
extern char test_folder[];

struct client {
    pid_t pid;
    int to, from;
};

/* Starts tests/client under the interceptor; settings is a blank-separated list of NAME=value. */
struct client client_start(const char *settings);
struct client client_start_bare(const char *settings); /* without the interceptor */

/* Sends a line, gives the answer's line. */
__attribute__((format(printf, 2, 3))) const char *ask(struct client *client, const char *format, ...);
/* The same, of the answer only the number it begins with. */
__attribute__((format(printf, 2, 3))) long long ask_number(struct client *client, const char *format, ...);
uint64_t allocate(struct client *client, uint64_t bytes); /* the pointer; fails the test if refused */
void client_kill(struct client *client);
void client_end(struct client *client);

/* Runs a command under the interceptor to its end: exit status, and what it printed (both streams). */
int run(const char *settings, const char *command, char *output, size_t length);

/* The answer must be this. */
void expect(struct client *client, const char *question, const char *answer);

/* A folder with the library and, unless the text is NULL, the limits file beside it; answers settings that use it. */
const char *grant(const char *limits);

/* The same within a few looks of the watcher, for what only it sees. */
void expect_soon(struct client *client, const char *question, const char *answer);

/* A client that has a context on the first card. */
struct client started(const char *settings);

/* The region as another process sees it. */
const struct v1_region *region_look(const char *path);
const struct extension *extension_look(const char *path);
