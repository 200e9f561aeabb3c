/* A process's place in the region, and how a dead one's is found and cleared. */
#pragma once

#include "region.h"

/* Takes a free place for this process; false when all are taken by the living. */
bool slot_claim(struct region *region);

/* Nobody else has a place. */
bool slot_is_alone(const struct region *region);

/* Frees what dead processes still hold; true when something was freed. */
bool slots_reclaim(struct region *region);
