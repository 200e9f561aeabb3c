/* ACTIVE_OOM_KILLER: a container that stays over its limit by memory that never passed through us. */
#pragma once

#include "region.h"

/* After every look of the watcher. */
void oom_killer_look(struct region *region);
