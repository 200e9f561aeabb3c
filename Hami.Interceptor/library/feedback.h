/* What the driver says our processes have of the cards, for the pace of the container. */
#pragma once

#include "region.h"

/* One look, of the container's watcher. */
void feedback_look(struct region *region);

/* In a forked child. */
void feedback_forget(void);
