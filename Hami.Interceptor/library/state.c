#define _GNU_SOURCE
#include "state.h"

struct state state = {
    .recent_kernel = &state.no_region,
    .attaching = PTHREAD_MUTEX_INITIALIZER,
    .asking = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
    .reclaiming = PTHREAD_MUTEX_INITIALIZER,
    .retaining = PTHREAD_MUTEX_INITIALIZER,
    .mapping = PTHREAD_MUTEX_INITIALIZER,
    .pooling = PTHREAD_MUTEX_INITIALIZER,
    .limiting = PTHREAD_MUTEX_INITIALIZER,
};
