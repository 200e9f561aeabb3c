/* What must be known of a stream before something is sent to it. */
#pragma once

#include <stdbool.h>

#include "cuda_abi.h"

/* A stream runs in its own context, a default one in the current. NULL when there is none. */
CUcontext stream_context(CUstream stream, bool per_thread);

/* Cards that CUDA shows; 0 when it does not say. */
int cards_visible(void);
