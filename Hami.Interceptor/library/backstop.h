/* What the driver itself says our processes hold, beyond what passed through our wrappers: contexts, code, what a
 * library took by a way of its own. */
#pragma once

#include <stdbool.h>

#include "cuda_abi.h"
#include "region.h"

/* Brings unseen_bytes of every process of the container up to date; the watcher's, at regular intervals. */
void backstop_look(struct region *region);

/* Anybody's look at one card in between: finds what is more, not what is less. */
void backstop_look_at(struct region *region, unsigned int account);

/* Around the making of a context on the device, which takes hundreds of MiB that nobody asked for by size. False when
 * nothing at all is given there. */
bool context_opening(CUdevice device);
void context_opened(CUdevice device);
