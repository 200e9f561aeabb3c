/* Preloaded behind the interceptor: lets a call of the C library fail the way FAIL says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../region.h"

static int fails(const char *what)
{
    const char *wanted = getenv("FAIL");
    return wanted && strcmp(wanted, what) == 0;
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
