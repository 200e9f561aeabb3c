/* Who a process is, in one word, so that it can be claimed by one compare-and-swap: its start time in clock ticks
 * since boot (41 bits) and its pid (22 bits, the kernel's maximum). A reused pid is another identity. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_RECLAIMING (UINT64_C(1) << 63)

uint64_t identity_of_self(void);
uint32_t identity_pid(uint64_t identity);
uint64_t identity_start_ticks(uint64_t identity);

/* Inode of this process's pid namespace; 0 when /proc does not say, or speaks of another namespace's pids. */
uint32_t identity_pid_namespace(void);

/* False only when it is certain that the process is gone. Judges pids of our own namespace. */
bool identity_lives(uint64_t identity);
