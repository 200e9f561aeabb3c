/* What this container is granted, read once: from the limits file beside the library where there is one, else from the
 * environment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "region.h"

#define LIMIT_NONE UINT64_MAX

enum core_policy { CORES_WHEN_SHARED, CORES_ALWAYS, CORES_NEVER };

enum { ACCOUNT_NOT_GRANTED = 63 }; /* of a card that is visible, but not in the limits file */

struct settings {
    uint64_t memory_bytes[DEVICES_MAX];     /* by account; LIMIT_NONE = no limit, 0 = nothing is given */
    unsigned int core_percent[DEVICES_MAX]; /* 100 = no limit */
    uint64_t beyond_limited; /* bit by account: a limit for a card beyond the sixteenth, which nothing counts */
    enum core_policy core_policy;
    int priority;          /* 0 = high, 1 = low */
    char region_path[256]; /* empty: one for this process alone */
    char agent_path[108];  /* the node agent's socket; empty: there is none */

    bool from_file; /* then the environment says nothing, and the cards are those named here, in this order */
    unsigned int card_count;
    char cards[DEVICES_MAX][96];

    bool oversubscribe; /* what the card has no room for may become managed memory (oversubscribe.c) */
    bool oom_killer;    /* a container that stays over its limit loses its largest process (oom_killer.c) */
    bool stand_back;    /* the driver keeps the limits: we count and show, and refuse nothing */
    bool tells_grant, tells_refusals; /* LIBCUDA_LOG_LEVEL 3 and 4 */
};

void settings_read(struct settings *settings);

/* The two sources. The file's answer is false where there is none; one that cannot be trusted or understood grants
 * nothing, and says so. */
bool limits_file_read(struct settings *settings);
void environment_read(struct settings *settings);
void log_level_read(struct settings *settings);

/* The card's place in the limits file, else ACCOUNT_NOT_GRANTED; -1 without a file. */
int settings_card(const struct settings *settings, const char *uuid);

/* "GPU-<hex>" and "MIG-<hex>" name the same bytes. */
bool is_same_uuid(const char *left, const char *right, size_t right_length);

/* A size as HAMi writes it: digits, with at most one of k, m, g behind them (powers of 1024), and i behind that if one
 * likes. False when it is anything else. */
bool size_parse(const char *text, uint64_t *bytes);

/* Digits alone. */
bool number_parse(const char *text, uint64_t *number);
