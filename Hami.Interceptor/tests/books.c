#define _GNU_SOURCE
#include "books.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../fake-driver/node.h"

static const struct ledger *ledger(void)
{
    static const struct ledger *open_one;
    char path[4200];
    if (open_one)
        return open_one;
    snprintf(path, sizeof path, "%s/cards.state", test_folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    open_one = mmap(NULL, sizeof *open_one, PROT_READ, MAP_SHARED, file, 0);
    CHECK(open_one != MAP_FAILED);
    close(file);
    return open_one;
}

uint64_t ledger_bytes(unsigned int card)
{
    uint64_t bytes = 0;
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (ledger()->process[i].pid != 0)
            bytes += ledger()->process[i].used_bytes[card];
    return bytes;
}

uint64_t ledger_peak_bytes(unsigned int card)
{
    return ledger()->peak_bytes[card];
}

uint64_t books_bytes(unsigned int account)
{
    static const struct extension *extension;
    char path[4200];
    snprintf(path, sizeof path, "%s/region", test_folder);
    if (!extension)
        extension = extension_look(path);
    uint64_t bytes = 0;
    for (int i = 0; i < SLOTS_MAX; i++) {
        CHECK_EQUAL(extension->slots[i].device[account].pending_bytes, 0);
        bytes += extension->slots[i].device[account].used_bytes;
    }
    return bytes;
}

void pause_briefly(void)
{
    struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
}

unsigned long long made(struct client *client, const char *question)
{
    unsigned long long handle = 0;
    const char *answer = ask(client, "%s", question);
    if (sscanf(answer, "0 %llx", &handle) != 1)
        FAIL("\"%s\" gave \"%s\"", question, answer);
    return handle;
}

unsigned long long made_of(struct client *client, const char *format, ...)
{
    char question[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(question, sizeof question, format, arguments);
    va_end(arguments);
    return made(client, question);
}
