#define _GNU_SOURCE
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "identity.h"
#include "limits.h"
#include "state.h"
#include "warning.h"

/* ---- the file ---- */

enum region_file { REGION_USABLE, REGION_FOREIGN, REGION_FAILED };

static const char *region_path(void)
{
    const char *path = getenv("CUDA_DEVICE_MEMORY_SHARED_CACHE");
    return path && *path ? path : "/tmp/cudevshr.cache";
}

static int region_open_file(void)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int file = open(region_path(), flags | O_CREAT | O_EXCL, 0666);
    if (file >= 0)
        (void)fchmod(file, 0666); /* whatever the umask: other users of the container share the budget */
    else if (errno == EEXIST)
        file = open(region_path(), flags);
    return file;
}

/* Growing a file beyond this process's limit would not just fail, it would end the process with SIGXFSZ. */
static bool region_may_grow(void)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur >= REGION_BYTES)
        return true;
    errno = EFBIG;
    return false;
}

/* Blocks are taken now, so that a full disk shows here and not as SIGBUS later. Never shrinks the file, and touches
 * nothing that does not begin like a region. */
static enum region_file region_size_file(int file)
{
    struct stat now;
    int32_t magic = 0;
    if (syscall(SYS_fstat, file, &now) != 0) /* the C library's own is younger than those we load under */
        return REGION_FAILED;
    if (!S_ISREG(now.st_mode))
        return errno = EINVAL, REGION_FAILED;
    if (pread(file, &magic, sizeof magic, 0) < 0)
        return REGION_FAILED;
    if (magic != 0 && magic != V1_MAGIC)
        return REGION_FOREIGN;
    if (now.st_size < REGION_BYTES && !region_may_grow())
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

static bool region_map(struct region *region, int file)
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

static void region_unmap(struct region *region)
{
    void *start = region->v1;
    region->v1 = NULL; /* first: a child forked here must not unmap what may be somebody else's by then */
    munmap(start, REGION_BYTES);
    if (region->file >= 0)
        close(region->file);
}

/* Every writer writes the same, so two at once, or one killed half way, do no harm. The magic comes last. */
static bool region_format(struct region *region)
{
    struct v1_region *v1 = region->v1;
    int32_t magic = atomic_load(&v1->magic);
    if (magic == 0) {
        v1->major = V1_MAJOR;
        v1->minor = V1_MINOR;
        v1->semaphore = v1->semaphore_postinit = (struct v1_semaphore){.value = 1, .shared = 128};
        v1->priority = 1;
        const char *priority = getenv("CUDA_TASK_PRIORITY");
        if (priority && *priority)
            v1->priority = atoi(priority);
        atomic_store(&v1->utilization_switch, 1);
        atomic_store(&v1->recent_kernel, 2);
        atomic_store(&v1->last_kernel_time, (uint64_t)time(NULL));
        atomic_store(&v1->magic, V1_MAGIC);
    } else if (magic != V1_MAGIC || v1->major != V1_MAJOR) {
        return false;
    }

    struct extension *extension = region->extension;
    uint64_t extension_magic = atomic_load(&extension->magic);
    if (extension_magic == 0) {
        extension->slot_bytes = sizeof(struct slot);
        atomic_store(&extension->version, EXTENSION_VERSION);
        atomic_store(&extension->magic, EXTENSION_MAGIC);
        return true;
    }
    return extension_magic == EXTENSION_MAGIC && atomic_load(&extension->version) == EXTENSION_VERSION &&
           extension->slot_bytes == sizeof(struct slot);
}

/* ---- slots ---- */

/* A lock on one byte per slot, held by the open file: it ends with the process, whatever its pid namespace. */
static bool slot_lock(const struct region *region, unsigned int index, int command, short *kind)
{
    struct flock lock = {.l_type = *kind, .l_whence = SEEK_SET, .l_len = 1};
    lock.l_start = EXTENSION_OFFSET + (off_t)offsetof(struct extension, slots) + (off_t)(index * sizeof(struct slot));
    if (region->file < 0 || fcntl(region->file, command, &lock) != 0)
        return false;
    *kind = lock.l_type;
    return true;
}

/* False when somebody else has the lock; true also where there are no such locks. */
static bool slot_hold(const struct region *region, unsigned int index, short kind)
{
    return slot_lock(region, index, F_OFD_SETLK, &kind) || region->file < 0 || (errno != EAGAIN && errno != EACCES);
}

/* Can its owner be judged by its pid? Otherwise only the lock says whether it lives. */
static bool slot_is_near(const struct region *region, unsigned int index)
{
    uint32_t pid_namespace = atomic_load(&region->extension->slots[index].pid_namespace);
    return pid_namespace != 0 && pid_namespace == region->pid_namespace;
}

static bool slot_was_ours(const struct region *region, uint64_t owner)
{
    return (owner & ~IDENTITY_RECLAIMING) == region->identity;
}

static bool slot_is_dead(const struct region *region, unsigned int index, uint64_t owner)
{
    if (slot_was_ours(region, owner))
        return true; /* we are it, but this is not our slot: it was, or we were clearing it, before an exec */
    short kind = F_WRLCK;
    if (!slot_is_near(region, index) && slot_lock(region, index, F_OFD_GETLK, &kind))
        return kind == F_UNLCK;
    return !identity_lives(owner);
}

/* Takes the slot over under our own name first: should we be killed here, the next one finds a dead owner again. The
 * slot's lock tells processes of other pid namespaces that we are alive and at it. */
static bool slot_reclaim(struct region *region, unsigned int index, uint64_t dead)
{
    struct slot *slot = &region->extension->slots[index];
    bool judged_by_lock = !slot_is_near(region, index) && !slot_was_ours(region, dead);
    if (!slot_hold(region, index, F_WRLCK) && judged_by_lock)
        return false; /* back after an exec, under the name it had before */
    if (!atomic_compare_exchange_strong(&slot->owner, &dead, region->identity | IDENTITY_RECLAIMING)) {
        slot_hold(region, index, F_UNLCK);
        return false;
    }
    atomic_store(&slot->pid_namespace, region->pid_namespace);

    struct v1_process *mirror = &region->v1->processes[index];
    atomic_store(&mirror->status, 0);
    atomic_store(&mirror->pid, 0);
    atomic_store(&mirror->host_pid, 0);
    bool freed = false;
    for (int device = 0; device < DEVICES_MAX; device++) {
        freed |= atomic_load(&slot->device[device].used_bytes) != 0;
        freed |= atomic_load(&slot->device[device].pending_bytes) != 0;
        atomic_store(&mirror->used[device].data_bytes, 0);
        atomic_store(&mirror->used[device].total_bytes, 0);
        atomic_store(&slot->device[device].pending_bytes, 0);
        atomic_store(&slot->device[device].used_bytes, 0);
    }
    atomic_store(&slot->pid_namespace, 0);
    uint64_t ours =
        region->identity | IDENTITY_RECLAIMING; /* unless one that saw neither lock nor namespace took over */
    atomic_compare_exchange_strong(&slot->owner, &ours, 0);
    slot_hold(region, index, F_UNLCK);
    return freed;
}

bool region_reclaim(struct region *region)
{
    bool freed = false;
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.reclaiming);
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        uint64_t owner = atomic_load(&region->extension->slots[i].owner);
        if (owner == 0 || i == region->index)
            continue;
        if (slot_is_dead(region, i, owner))
            freed |= slot_reclaim(region, i, owner);
    }
    pthread_mutex_unlock(&state.reclaiming);
    pthread_setcancelstate(cancelling, NULL);
    return freed;
}

static bool slot_claim(struct region *region)
{
    for (unsigned int i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = &region->extension->slots[i];
        if (atomic_load(&slot->owner) != 0)
            continue;
        /* First, so that another namespace never sees an owner without a lock. */
        if (!slot_hold(region, i, F_WRLCK))
            continue; /* somebody is about to take it, or to clear it */
        uint32_t high = atomic_load(&region->extension->slots_high);
        while (high < i + 1 && !atomic_compare_exchange_weak(&region->extension->slots_high, &high, i + 1))
            ;
        uint64_t nobody = 0;
        if (!atomic_compare_exchange_strong(&slot->owner, &nobody, region->identity)) {
            slot_hold(region, i, F_UNLCK);
            continue;
        }
        atomic_store(&slot->pid_namespace, region->pid_namespace);
        region->index = i;

        struct v1_process *mirror = &region->v1->processes[i];
        atomic_store(&mirror->pid, (int32_t)identity_pid(region->identity));
        atomic_store(&mirror->status, V1_STATUS_RUNNING);
        int32_t count = atomic_load(&region->v1->process_count);
        while (count < (int32_t)(i + 1) &&
               !atomic_compare_exchange_weak(&region->v1->process_count, &count, (int32_t)(i + 1)))
            ;
        return true;
    }
    return false;
}

static bool slot_is_alone(const struct region *region)
{
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++)
        if (i != region->index && atomic_load(&region->extension->slots[i].owner) != 0)
            return false;
    return true;
}

/* ---- limits ---- */

static void region_announce_limit(struct region *region, unsigned int account, uint64_t limit_bytes)
{
    uint64_t v1_limit_bytes = limit_bytes == LIMIT_NONE ? 0 : limit_bytes == 0 ? 1 : limit_bytes;
    atomic_store(&region->v1->limit_bytes[account], v1_limit_bytes); /* there 0 means none */
    atomic_store(&region->v1->sm_limit_percent[account], limit_of_cores(account));
}

/* The first process to live here sets the container's limit. One that comes later with a larger limit, or with none,
 * is held to the container's; one with a smaller limit is held to its own and takes nothing from the others. */
static void region_limit(struct region *region)
{
    bool alone = slot_is_alone(region);
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        _Atomic uint64_t *shared = &region->extension->limit_complement[account];
        uint64_t limit_bytes = region->limit_bytes[account] = limit_of_memory(account);
        uint64_t unlimited = ~LIMIT_NONE;
        /* Two that start together are both not alone: then whoever finds no limit sets it. */
        if (alone)
            atomic_store(shared, ~limit_bytes);
        if (alone || (limit_bytes != 0 && atomic_compare_exchange_strong(shared, &unlimited, ~limit_bytes)))
            region_announce_limit(region, account, limit_bytes);
        else if (~atomic_load(shared) != limit_bytes)
            warn_once(WARNING_LIMIT_DIFFERS,
                      "hami: device %u has another memory limit here than in this container's other processes; "
                      "the smaller one holds.",
                      account);
    }
}

/* ---- names of cards ---- */

static void name_write(struct v1_region *v1, unsigned int account, const char *uuid, size_t length)
{
    if (account >= DEVICES_MAX || length >= sizeof v1->uuids[0])
        return;
    if (strncmp(v1->uuids[account], uuid, length) != 0 || v1->uuids[account][length] != '\0') {
        memset(v1->uuids[account], 0, sizeof v1->uuids[account]);
        memcpy(v1->uuids[account], uuid, length);
    }
    uint64_t count = atomic_load(&v1->device_count);
    while (count < account + 1 && !atomic_compare_exchange_weak(&v1->device_count, &count, account + 1))
        ;
}

/* Known from the start where the cards were allocated by name. */
static void names_allocated(struct v1_region *v1)
{
    const char *list = getenv("NVIDIA_VISIBLE_DEVICES");
    for (unsigned int account = 0; list && *list; account++) {
        size_t length = strcspn(list, ",");
        if (length > 4 && list[3] == '-')
            name_write(v1, account, list, length);
        list += length;
        list += *list == ',';
    }
}

void region_name(unsigned int account, const char *uuid)
{
    struct region *region = region_get();
    pthread_mutex_lock(&state.attaching);
    if (region)
        name_write(region->v1, account, uuid, strlen(uuid));
    pthread_mutex_unlock(&state.attaching);
}

/* ---- attaching ---- */

static bool region_attach_shared(struct region *region)
{
    int file = region_open_file();
    enum region_file kind = file < 0 ? REGION_FAILED : region_size_file(file);
    if (kind == REGION_USABLE && !region_map(region, file))
        kind = REGION_FAILED;
    if (kind == REGION_FAILED)
        warn_once(WARNING_REGION, "hami: %s cannot be used (%s); the memory limit holds for this process alone.",
                  region_path(), strerror(errno));
    if (kind != REGION_USABLE && file >= 0)
        close(file);
    bool mapped = kind == REGION_USABLE;
    if (kind == REGION_FOREIGN || (mapped && !region_format(region))) {
        warn_once(WARNING_REGION, "hami: %s has another format; the memory limit holds for this process alone.",
                  region_path());
        if (mapped)
            region_unmap(region);
        return false;
    }
    if (!mapped)
        return false;
    region->index = SLOTS_MAX;
    region_reclaim(region);
    if (!slot_claim(region)) {
        warn_once(WARNING_SLOTS, "hami: %s has %d live processes already; the memory limit holds for this one alone.",
                  region_path(), SLOTS_MAX);
        region_unmap(region);
        return false;
    }
    return true;
}

static void region_attach(struct region *region)
{
    region->identity = identity_of_self();
    region->pid_namespace = identity_pid_namespace();
    if (!region_attach_shared(region)) {
        if (!region_map(region, -1))
            return;
        region_format(region);
        slot_claim(region);
    }
    region_limit(region);
    names_allocated(region->v1);
}

/* NVML has locks of its own, and the C library has one around dlopen, which a child would inherit for good if a thread
 * of ours were in there now. A second is long enough, and no fork waits for ever. */
static void fork_prepare(void)
{
    for (int i = 0; i < 1000 && pthread_mutex_trylock(&state.asking) != 0; i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
}

static void fork_done(void)
{
    (void)pthread_mutex_unlock(&state.asking); /* refused when it is not ours */
}

/* Before anything of ours can be locked, so that no child ever inherits a lock for good. */
__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(fork_prepare, fork_done, region_forget);
}

struct region *region_get(void)
{
    struct region *region = atomic_load_explicit(&state.region, memory_order_acquire);
    if (region)
        return region;

    int cancelling; /* a thread must not be cancelled over a file while it holds a lock */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.attaching);
    region = atomic_load(&state.region);
    if (!region) {
        int error = errno;
        region_attach(&state.attached);
        if (state.attached.v1) {
            region = &state.attached;
            atomic_store(&state.region, region);
        }
        errno = error;
    }
    pthread_mutex_unlock(&state.attaching);
    pthread_setcancelstate(cancelling, NULL);
    return region;
}

void region_forget(void)
{
    /* Other threads of the parent, which are not here, may have held these. */
    pthread_mutex_init(&state.attaching, NULL);
    pthread_mutex_init(&state.reclaiming, NULL);
    state.asking = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    pthread_mutex_init(&state.retaining, NULL);
    pthread_mutex_init(&state.mapping, NULL);
    if (state.attached.v1)
        region_unmap(&state.attached);
    memset(&state.attached, 0, sizeof state.attached);
    atomic_store(&state.region, NULL);
    allocations_forget(&state.pointers);
    allocations_forget(&state.blocks);
    allocations_forget(&state.handles);
    allocations_forget(&state.mappings);
    for (size_t i = 0; i < sizeof state.account_of / sizeof state.account_of[0]; i++)
        atomic_store(&state.account_of[i], 0);
    for (size_t i = 0; i < sizeof state.primary / sizeof state.primary[0]; i++)
        atomic_store(&state.primary[i], NULL);
}
