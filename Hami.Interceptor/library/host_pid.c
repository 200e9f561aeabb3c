#define _GNU_SOURCE
#include "host_pid.h"

#include <unistd.h>

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

void host_pid_is_own(struct region *region)
{
    if (host_pid_of(region, region->index) == 0)
        set(region, (uint32_t)getpid());
}

uint32_t host_pid_of(const struct region *region, unsigned int slot)
{
    return (uint32_t)atomic_load(&region->v1->processes[slot].host_pid);
}
