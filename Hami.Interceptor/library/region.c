#define _GNU_SOURCE
#include "region.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "feedback.h"
#include "gate.h"
#include "host_pid.h"
#include "identity.h"
#include "pools.h"
#include "region_file.h"
#include "settings.h"
#include "slots.h"
#include "state.h"
#include "warning.h"
#include "watcher.h"

/* ---- limits ---- */

static void limit_announce(struct region *region, unsigned int account, uint64_t limit_bytes)
{
    uint64_t v1_limit_bytes = limit_bytes == LIMIT_NONE ? 0 : limit_bytes == 0 ? 1 : limit_bytes;
    atomic_store(&region->v1->limit_bytes[account], v1_limit_bytes); /* there 0 means none */
    atomic_store(&region->v1->sm_limit_percent[account], state.settings.core_percent[account]);
}

/* All processes read the same file, and hold themselves to it. The region only shows it. */
static void limits_show(struct region *region)
{
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        atomic_store(&region->extension->limit_complement[account], ~state.settings.memory_bytes[account]);
        if (account < state.settings.card_count)
            limit_announce(region, account, state.settings.memory_bytes[account]);
    }
}

/* The first process to live here sets the container's limit. One that comes later with a larger limit, or with none,
 * is held to the container's; one with a smaller limit is held to its own and takes nothing from the others. */
static void limits_set(struct region *region)
{
    if (state.settings.from_file) {
        limits_show(region);
        return;
    }
    bool alone = slot_is_alone(region);
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        _Atomic uint64_t *shared = &region->extension->limit_complement[account];
        uint64_t limit_bytes = state.settings.memory_bytes[account];
        uint64_t unlimited = ~LIMIT_NONE;
        /* Two that start together are both not alone: then whoever finds no limit sets it. */
        if (alone)
            atomic_store(shared, ~limit_bytes);
        if (alone || (limit_bytes != 0 && atomic_compare_exchange_strong(shared, &unlimited, ~limit_bytes)))
            limit_announce(region, account, limit_bytes);
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
    for (unsigned int account = 0; account < state.settings.card_count; account++)
        name_write(v1, account, state.settings.cards[account], strlen(state.settings.cards[account]));
    const char *list = state.settings.from_file ? NULL : getenv("NVIDIA_VISIBLE_DEVICES");
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

static bool attach_shared(struct region *region)
{
    const char *path = state.settings.region_path;
    if (!*path)
        return false;
    enum region_file kind = region_map_shared(region, path, state.settings.priority, state.settings.from_file);
    if (kind == REGION_FAILED)
        warn_once(WARNING_REGION, "hami: %s cannot be used (%s); the memory limit holds for this process alone.", path,
                  strerror(errno));
    if (kind == REGION_FOREIGN)
        warn_once(WARNING_REGION, "hami: %s has another format; the memory limit holds for this process alone.", path);
    if (kind != REGION_USABLE)
        return false;
    region->index = SLOTS_MAX;
    slots_reclaim(region);
    if (!slot_claim(region)) {
        warn_once(WARNING_SLOTS, "hami: %s has %d live processes already; the memory limit holds for this one alone.",
                  path, SLOTS_MAX);
        region_unmap(region);
        return false;
    }
    return true;
}

/* For whoever asked by LIBCUDA_LOG_LEVEL what holds here. */
static void grant_tell(const struct region *region)
{
    char cards[384] = "";
    size_t length = 0;
    for (unsigned int account = 0; account < DEVICES_MAX && length < sizeof cards; account++) {
        uint64_t bytes = state.settings.memory_bytes[account];
        unsigned int percent = state.settings.core_percent[account];
        if (state.settings.from_file ? account < state.settings.card_count : bytes != LIMIT_NONE || percent < 100)
            length += (size_t)snprintf(cards + length, sizeof cards - length, " device %u: %llu bytes, %u %%;", account,
                                       bytes == LIMIT_NONE ? 0ull : (unsigned long long)bytes, percent);
    }
    tell("hami: granted by the %s:%s region %.96s, place %u.", state.settings.from_file ? "limits file" : "environment",
         *cards ? cards : " no limit;", region->file >= 0 ? state.settings.region_path : "of this process alone",
         region->index);
}

static void attach(struct region *region)
{
    settings_read(&state.settings);
    warn_no_more();
    region->identity = identity_of_self();
    region->pid_namespace = identity_pid_namespace();
    if (!attach_shared(region)) {
        if (!region_map_private(region, state.settings.priority))
            return;
        slot_claim(region);
    }
    host_pid_find(region);
    limits_set(region);
    names_allocated(region->v1);
    if (state.settings.tells_grant)
        grant_tell(region);
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

/* What pthread_atfork calls; other C libraries have no function of that name. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object)
    __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

/* Before anything of ours can be locked, so that no child ever inherits a lock for good. */
__attribute__((constructor)) static void watch_forks(void)
{
    if (__register_atfork)
        __register_atfork(fork_prepare, fork_done, region_forget, __dso_handle);
}

struct region *region_attach(void)
{
    int cancelling; /* a thread must not be cancelled over a file while it holds a lock */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.attaching);
    struct region *region = atomic_load(&state.region);
    if (!region) {
        int error = errno;
        attach(&state.attached);
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
    watcher_forget();
    gate_forget(); /* before the region it looks at is gone */
    feedback_forget();
    atomic_store(&state.nvml_started, false);
    pthread_mutex_init(&state.attaching, NULL);
    pthread_mutex_init(&state.reclaiming, NULL);
    state.asking = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    pthread_mutex_init(&state.retaining, NULL);
    pthread_mutex_init(&state.mapping, NULL);
    pthread_mutex_init(&state.limiting, NULL);
    if (state.attached.v1)
        region_unmap(&state.attached);
    memset(&state.attached, 0, sizeof state.attached);
    for (int account = 0; account < DEVICES_MAX; account++)
        atomic_store(&state.own_used_bytes[account], 0);
    atomic_store(&state.region, NULL);
    allocations_forget(&state.pointers);
    allocations_forget(&state.blocks);
    allocations_forget(&state.handles);
    allocations_forget(&state.mappings);
    allocations_forget(&state.bindings);
    allocations_forget(&state.arrays);
    allocations_forget(&state.graphs);
    allocations_forget(&state.context_limits);
    pools_forget();
    for (size_t i = 0; i < sizeof state.account_of / sizeof state.account_of[0]; i++)
        atomic_store(&state.account_of[i], 0);
    for (size_t i = 0; i < sizeof state.primary / sizeof state.primary[0]; i++)
        atomic_store(&state.primary[i], NULL);
}
