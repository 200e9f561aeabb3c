#define _GNU_SOURCE
#include "watcher.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "backstop.h"
#include "clock.h"
#include "feedback.h"
#include "gate.h"
#include "host_pid.h"
#include "oom_killer.h"
#include "pools.h"
#include "state.h"

/* Elected by a lock on one byte of the region, which ends with the process whatever becomes of it. The others see by
 * its beat that it lives, and stand for election when it has not been heard for a second. */

enum { LOOK_EVERY_MS = 100, BEAT_OLD_MS = 1000, STACK_BYTES = 256 * 1024 };

static bool anything_limited(void)
{
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        if (state.settings.memory_bytes[account] != LIMIT_NONE)
            return true;
    return cores_are_limited();
}

/* True also for a region of our own, where nobody else stands. */
static bool elected(const struct region *region)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    lock.l_start = EXTENSION_OFFSET + (off_t)offsetof(struct extension, watch_beat_ns);
    return region->file < 0 || fcntl(region->file, F_OFD_SETLK, &lock) == 0;
}

/* A pool may have shrunk at a synchronisation, which we do not see. */
static void pools_look(void)
{
    atomic_store(&state.weighing, true);
    if (!atomic_load(&state.ending))
        pools_settle_all();
    atomic_store(&state.weighing, false);
}

static void *watch(void *argument)
{
    struct region *region = argument;
    while (!atomic_load(&state.ending)) {
        atomic_store_explicit(&region->extension->watch_beat_ns, now_ns(), memory_order_relaxed);
        backstop_look(region);
        oom_killer_look(region);
        pools_look();
        feedback_look(region);
        struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* NVML's and the driver's own destructors run after this; nobody may ask them anything then. */
static void end(void)
{
    atomic_store(&state.ending, true);
    for (int i = 0; i < 200 && (atomic_load(&state.weighing) || pthread_mutex_trylock(&state.asking) != 0); i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
    (void)pthread_mutex_unlock(&state.asking); /* refused when it is not ours */
}

static bool start(struct region *region)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the program's signals are for its own threads */
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool started = pthread_create(&thread, &attributes, watch, region) == 0;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started && !atomic_exchange(&state.end_registered, true))
        atexit(end);
    return started;
}

void watcher_ensure(void)
{
    struct region *region = atomic_load_explicit(&state.region, memory_order_acquire);
    uint64_t now = now_ns(), asked = atomic_load_explicit(&state.watch_asked_ns, memory_order_relaxed);
    if (!region || now - asked < BEAT_OLD_MS * UINT64_C(1000000) ||
        !atomic_compare_exchange_strong(&state.watch_asked_ns, &asked, now))
        return;
    host_pid_ask(region);
    if (atomic_load(&state.watching))
        return;
    uint64_t beat = atomic_load_explicit(&region->extension->watch_beat_ns, memory_order_relaxed);
    if (beat <= now && now - beat < BEAT_OLD_MS * UINT64_C(1000000))
        return;
    if (anything_limited() && elected(region))
        atomic_store(&state.watching, start(region));
}

void watcher_forget(void)
{
    atomic_store(&state.watching, false);
    atomic_store(&state.weighing, false);
    atomic_store(&state.watch_asked_ns, 0);
    atomic_store(&state.agent_due_ns, 0);
    atomic_store(&state.agent_tries, 0);
}
