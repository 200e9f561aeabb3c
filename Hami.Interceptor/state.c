#include "state.h"

struct state state = {.attaching = PTHREAD_MUTEX_INITIALIZER, .allocations = ALLOCATIONS_EMPTY};
