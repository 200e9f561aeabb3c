#include "state.h"

struct state state = {
    .attaching = PTHREAD_MUTEX_INITIALIZER,
    .reclaiming = PTHREAD_MUTEX_INITIALIZER,
    .mapping = PTHREAD_MUTEX_INITIALIZER,
    .pointers = ALLOCATIONS_EMPTY,
    .blocks = ALLOCATIONS_EMPTY,
    .handles = ALLOCATIONS_EMPTY,
    .mappings = ALLOCATIONS_EMPTY,
};
