#define _GNU_SOURCE
#include "region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int open_file(const char *path)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int file = open(path, flags | O_CREAT | O_EXCL, 0666);
    if (file >= 0)
        (void)fchmod(file, 0666); /* whatever the umask: other users of the container share the budget */
    else if (errno == EEXIST)
        file = open(path, flags);
    return file;
}

/* Growing a file beyond this process's limit would not just fail, it would end the process with SIGXFSZ. */
static bool may_grow(void)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur >= REGION_BYTES)
        return true;
    errno = EFBIG;
    return false;
}

/* Blocks are taken now, so that a full disk shows here and not as SIGBUS later. Never shrinks the file, and touches
 * nothing that does not begin like a region. */
static enum region_file size_file(int file, bool is_ours)
{
    struct stat now;
    int32_t magic = 0;
    if (syscall(SYS_fstat, file, &now) != 0) /* the C library's own is younger than those we load under */
        return REGION_FAILED;
    if (!S_ISREG(now.st_mode))
        return errno = EINVAL, REGION_FAILED;
    if (pread(file, &magic, sizeof magic, 0) < 0)
        return REGION_FAILED;
    if (magic != 0 && magic != V1_MAGIC && !is_ours)
        return REGION_FOREIGN;
    if (now.st_size < REGION_BYTES && !may_grow())
        return REGION_FAILED;
    int outcome;
    do
        outcome = fallocate(file, 0, 0, REGION_BYTES);
    while (outcome != 0 && errno == EINTR); /* a timer of the program's */
    if (outcome == 0)
        return REGION_USABLE;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return REGION_FAILED;
    return now.st_size >= REGION_BYTES || ftruncate(file, REGION_BYTES) == 0 ? REGION_USABLE : REGION_FAILED;
}

static bool map(struct region *region, int file)
{
    int kind = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    char *start = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, kind, file, 0);
    if (start == MAP_FAILED)
        return false;
    region->v1 = (struct v1_region *)start;
    region->extension = (struct extension *)(start + EXTENSION_OFFSET);
    region->file = file;
    return true;
}

void region_unmap(struct region *region)
{
    void *start = region->v1;
    region->v1 = NULL; /* first: a child forked here must not unmap what may be somebody else's by then */
    munmap(start, REGION_BYTES);
    if (region->file >= 0)
        close(region->file);
}

/* Every writer writes the same, so two at once, or one killed half way, do no harm. The magic comes last. */
static bool format(struct region *region, int priority, bool is_ours)
{
    struct v1_region *v1 = region->v1;
    int32_t magic = atomic_load(&v1->magic);
    if (magic == 0 || (is_ours && (magic != V1_MAGIC || v1->major != V1_MAJOR))) {
        v1->major = V1_MAJOR;
        v1->minor = V1_MINOR;
        v1->semaphore = v1->semaphore_postinit = (struct v1_semaphore){.value = 1, .shared = 128};
        v1->priority = priority;
        atomic_store(&v1->utilization_switch, 1);
        atomic_store(&v1->recent_kernel, 2);
        atomic_store(&v1->last_kernel_time, (uint64_t)time(NULL));
        atomic_store(&v1->magic, V1_MAGIC);
    } else if (magic != V1_MAGIC || v1->major != V1_MAJOR) {
        return false;
    }

    struct extension *extension = region->extension;
    uint64_t extension_magic = atomic_load(&extension->magic);
    bool as_it_should_be = extension_magic == EXTENSION_MAGIC &&
                           atomic_load(&extension->version) == EXTENSION_VERSION &&
                           extension->slot_bytes == sizeof(struct slot);
    if (extension_magic == 0 || (is_ours && !as_it_should_be)) {
        extension->slot_bytes = sizeof(struct slot);
        atomic_store(&extension->version, EXTENSION_VERSION);
        atomic_store(&extension->magic, EXTENSION_MAGIC);
        return true;
    }
    return as_it_should_be;
}

enum region_file region_map_shared(struct region *region, const char *path, int priority, bool is_ours)
{
    int file = open_file(path);
    enum region_file kind = file < 0 ? REGION_FAILED : size_file(file, is_ours);
    if (kind == REGION_USABLE && !map(region, file))
        kind = REGION_FAILED;
    if (kind == REGION_USABLE && format(region, priority, is_ours))
        return REGION_USABLE;
    if (kind == REGION_USABLE) {
        region_unmap(region);
        return REGION_FOREIGN;
    }
    int error = errno;
    if (file >= 0)
        close(file);
    errno = error;
    return kind;
}

bool region_map_private(struct region *region, int priority)
{
    return map(region, -1) && format(region, priority, false);
}
