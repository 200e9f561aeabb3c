/* The region's bytes: the file found or made, brought to its size, mapped, and given its first content. */
#pragma once

#include "region.h"

enum region_file { REGION_USABLE, REGION_FOREIGN, REGION_FAILED };

/* REGION_FOREIGN: it has another format and was left alone. REGION_FAILED: errno says why.
 * One that the limits file names is ours, whatever somebody wrote into it: it is mended, never foreign. */
enum region_file region_map_shared(struct region *region, const char *path, int priority, bool is_ours);

/* One for this process alone; false without any memory left. */
bool region_map_private(struct region *region, int priority);

void region_unmap(struct region *region);
