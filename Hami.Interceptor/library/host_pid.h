/* By which pid the driver knows this process: needed to find it in NVML's lists. */
#pragma once

#include <stdbool.h>

#include "region.h"

/* Answers at once where it is certain, which is where no pid namespace lies between; else leaves it unknown (0). */
void host_pid_find(struct region *region);

/* Asks the node agent, who sees our pid translated by the kernel, while it is unknown: at most once a second, less
 * often the longer nobody answers, and never longer than 50 ms. */
void host_pid_ask(struct region *region);

/* The driver was seen to list our own pid from the moment we had a context, and not before. */
void host_pid_is_own(struct region *region);

/* 0 = unknown. */
uint32_t host_pid_of(const struct region *region, unsigned int slot);
