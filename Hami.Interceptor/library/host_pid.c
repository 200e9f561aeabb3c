#define _GNU_SOURCE
#include "host_pid.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "agent.h"
#include "clock.h"
#include "state.h"

enum { INITIAL_PID_NAMESPACE = 0xeffffffc }; /* the kernel's PROC_PID_INIT_INO */

static void set(struct region *region, uint32_t pid)
{
    atomic_store(&region->v1->processes[region->index].host_pid, (int32_t)pid);
}

void host_pid_find(struct region *region)
{
    if (region->pid_namespace == (uint32_t)INITIAL_PID_NAMESPACE)
        set(region, (uint32_t)getpid());
}

void host_pid_ask(struct region *region)
{
    uint64_t due_ns = atomic_load_explicit(&state.agent_due_ns, memory_order_relaxed), now = now_ns();
    if (now < due_ns || host_pid_of(region, region->index) != 0 || !*state.settings.agent_path)
        return;
    uint32_t tries = atomic_fetch_add(&state.agent_tries, 1);
    uint64_t pause_ns = UINT64_C(1000000000) << (tries < 6 ? tries : 6);
    if (!atomic_compare_exchange_strong(&state.agent_due_ns, &due_ns, now + pause_ns))
        return; /* another thread is at it */
    int error = errno, cancelling;
    uint32_t pid;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    if (agent_tells_pid(state.settings.agent_path, &pid) && host_pid_of(region, region->index) == 0)
        set(region, pid);
    pthread_setcancelstate(cancelling, NULL);
    errno = error;
}

void host_pid_is_own(struct region *region)
{
    if (host_pid_of(region, region->index) == 0)
        set(region, (uint32_t)getpid());
}

uint32_t host_pid_of(const struct region *region, unsigned int slot)
{
    return (uint32_t)atomic_load(&region->v1->processes[slot].host_pid);
}
