/* What this container is granted, read once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "region.h"

#define LIMIT_NONE UINT64_MAX

enum core_policy { CORES_WHEN_SHARED, CORES_ALWAYS, CORES_NEVER };

struct settings {
    uint64_t memory_bytes[DEVICES_MAX];     /* by account; LIMIT_NONE = no limit, 0 = nothing is given */
    unsigned int core_percent[DEVICES_MAX]; /* 100 = no limit */
    uint64_t beyond_limited; /* bit by account: a limit for a card beyond the sixteenth, which nothing counts */
    enum core_policy core_policy;
    int priority; /* 0 = high, 1 = low */
    char region_path[256];
};

void settings_read(struct settings *settings);

/* A size as HAMi writes it: digits with at most one of k, m, g behind them. False when it is anything else. */
bool size_parse(const char *text, uint64_t *bytes);
