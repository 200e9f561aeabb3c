#define _GNU_SOURCE
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PID_BITS = 22 };

/* State letter, thread count and start time; see proc(5), /proc/pid/stat fields 3, 20 and 22. False with ESRCH when the
 * process was reaped in the middle of it: /proc says so from its directory's permission check, and from the read. */
static bool stat_read(uint32_t pid, char *process_state, long *threads, uint64_t *start_ticks)
{
    char path[32], text[1024];
    errno = 0;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return false;
    text[length] = '\0';

    const char *after_name = strrchr(text, ')'); /* the name may hold spaces and brackets */
    unsigned long long ticks;
    if (!after_name ||
        sscanf(after_name + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %llu",
               process_state, threads, &ticks) != 3)
        return false;
    *start_ticks = ticks;
    return true;
}

static uint64_t identity_make(uint32_t pid, uint64_t start_ticks)
{
    return (start_ticks << PID_BITS | pid) & ~IDENTITY_RECLAIMING;
}

uint32_t identity_pid(uint64_t identity)
{
    return (uint32_t)(identity & ((UINT64_C(1) << PID_BITS) - 1));
}

uint64_t identity_start_ticks(uint64_t identity)
{
    return (identity & ~IDENTITY_RECLAIMING) >> PID_BITS;
}

uint64_t identity_of_self(void)
{
    char process_state;
    long threads;
    uint64_t start_ticks;
    uint32_t pid = (uint32_t)getpid();
    /* Without /proc the start time is unknown, and 0 says so. */
    return identity_make(pid, stat_read(pid, &process_state, &threads, &start_ticks) ? start_ticks : 0);
}

/* The number in a symbolic link, behind the text before it; 0 when there is none. */
static uint32_t link_number(const char *path, size_t before)
{
    char text[64];
    ssize_t length = readlink(path, text, sizeof text - 1);
    if (length <= (ssize_t)before)
        return 0;
    text[length] = '\0';
    return (uint32_t)strtoul(text + before, NULL, 10);
}

uint32_t identity_pid_namespace(void)
{
    if (link_number("/proc/self", 0) != (uint32_t)getpid())
        return 0; /* a /proc of another namespace: its pids are not ours */
    return link_number("/proc/self/ns/pid", sizeof "pid:[" - 1);
}

static bool pid_is_free(uint32_t pid)
{
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

bool identity_lives(uint64_t identity)
{
    identity &= ~IDENTITY_RECLAIMING;
    uint32_t pid = identity_pid(identity);
    if (pid_is_free(pid))
        return false;

    char process_state;
    long threads;
    uint64_t start_ticks;
    if (!stat_read(pid, &process_state, &threads, &start_ticks))
        return errno != ESRCH && !pid_is_free(pid); /* hidden from us, or no file descriptor left: not certain */
    uint64_t now = identity_make(pid, start_ticks);
    if (identity_start_ticks(identity) != 0 && now != identity)
        return false; /* the pid belongs to someone else now */
    /* A zombie has given its memory back, unless only the first thread ended and others go on. */
    return !((process_state == 'Z' && threads <= 1) || process_state == 'X' || process_state == 'x');
}
