/* Preloaded behind the interceptor: lets a call of the C library fail the way FAIL says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../library/region.h"

static int fails(const char *what)
{
    const char *wanted = getenv("FAIL");
    return wanted && strcmp(wanted, what) == 0;
}

static pid_t reaped;

int kill(pid_t pid, int number)
{
    if (pid == reaped && number == 0)
        return errno = ESRCH, -1;
    int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
    return real(pid, number);
}

/* Every zombie is reaped at the moment somebody looks at it: "vanished" before /proc finds it, "vanishing" after. */
int open(const char *path, int flags, ...)
{
    va_list rest;
    char text[256] = "";
    va_start(rest, flags);
    int mode = flags & O_CREAT ? va_arg(rest, int) : 0, pid;
    va_end(rest);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int file = real(path, flags, mode);
    if (file < 0 || !(fails("vanished") || fails("vanishing")) || sscanf(path, "/proc/%d/stat", &pid) != 1)
        return file;
    const char *after_name = pread(file, text, sizeof text - 1, 0) > 0 ? strrchr(text, ')') : NULL;
    if (!after_name || after_name[2] != 'Z')
        return file;
    close(file);
    reaped = pid;
    return errno = fails("vanished") ? ENOENT : ESRCH, -1;
}

int fallocate(int file, int mode, off_t offset, off_t length)
{
    static int calls;
    if (fails("full"))
        return errno = ENOSPC, -1;
    if (fails("interrupted") && calls++ < 3)
        return errno = EINTR, -1;
    int (*real)(int, int, off_t, off_t) = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, "fallocate");
    return real(file, mode, offset, length);
}

void *mmap(void *wish, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (fails("anonymous") && bytes == REGION_BYTES && (flags & MAP_ANONYMOUS))
        return errno = ENOMEM, MAP_FAILED;
    void *(*real)(void *, size_t, int, int, int, off_t) =
        (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    return real(wish, bytes, protection, flags, file, offset);
}

/* As in a container, whose processes the node knows by other pids. */
ssize_t readlink(const char *path, char *text, size_t length)
{
    static const char other[] = "pid:[4026532999]";
    if (fails("namespace") && strcmp(path, "/proc/self/ns/pid") == 0 && length >= sizeof other) {
        memcpy(text, other, sizeof other - 1);
        return sizeof other - 1;
    }
    ssize_t (*real)(const char *, char *, size_t) =
        (ssize_t(*)(const char *, char *, size_t))dlsym(RTLD_NEXT, "readlink");
    return real(path, text, length);
}
