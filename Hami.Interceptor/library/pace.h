/* How fast a container may send work to a card: pure, without a clock, a driver or a variable of its own, so that it
 * can be tried by seed in virtual time. All times in ns, of CLOCK_MONOTONIC where they are points in time.
 *
 * The budget of a container is one word, the time up to which its share is used up. A ns on the card moves it on by
 * 1/share; work may be sent while it is not in the future, and it never lies further back than a short burst. So nobody
 * has to refill anything, and one compare-and-swap is all that is ever between two states. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "region.h"

enum pace_kind { PACE_KERNEL, PACE_GRAPH, PACE_KINDS };

enum {
    PACE_MARKERS = 64,
    PACE_LAUNCHES_MAX = 64,       /* sent between two looks, so that longer kernels than before are noticed soon */
    PACE_BATCH_NS = 1000000,      /* work between two looks */
    PACE_IN_FLIGHT_NS = 20000000, /* work sent and not finished */
    PACE_BURST_NS = 100000000,    /* how much of its past an idle container may still use */
    PACE_TURN_NS = 1000000,       /* of a process, while others have work too, at least */
    PACE_GUESS_NS = 10000000,     /* taken for a launch while nothing is known */
    PACE_HISTORY = 32,            /* looks */
};
#define PACE_DEBT_NS INT64_C(2000000000) /* most that is owed of what was used beyond the share */
#define PACE_UNKNOWN INT64_MIN

/* ---- the container's budget ---- */

/* Takes the estimate if the share is not used up. 0, or in how many ns it makes sense to ask again. */
uint64_t pace_take(struct pace_shared *shared, uint64_t now, unsigned int percent, uint64_t estimate_ns);

/* More, or less, than was taken. */
void pace_correct(struct pace_shared *shared, uint64_t now, unsigned int percent, int64_t ns);

/* Tells the container's other processes until when, at a guess, this one has work on the card; how many others have,
 * with those of other containers. */
void pace_present(struct pace_shared *shared, unsigned int process, uint64_t until_ns);
unsigned int pace_others(const struct pace_shared *shared, unsigned int process, uint64_t now);

/* ---- what one process has on the card, in one context ---- */

/* A place in a stream, behind some launches. */
struct pace_marker {
    void *begin, *end;    /* events; begin only when nothing of ours was on the card before its one launch */
    uint64_t recorded_ns; /* when it was sent */
    uint64_t estimate_ns; /* what was taken for its launches */
    uint32_t launches;
    enum pace_kind kind;
    uint64_t pause_ns;   /* what passed while they were sent: so long may the card have been idle between them */
    unsigned int others; /* processes of the container that had work there, too */
};

struct pace_meter {
    struct pace_marker ring[PACE_MARKERS]; /* unfinished, oldest first */
    unsigned int first, count;
    uint64_t in_flight_ns;        /* their estimates */
    void *latest;                 /* the end of the one that finished last */
    uint64_t seen_ns;             /* when that was seen */
    uint64_t cost_ns[PACE_KINDS]; /* of a launch, a moving mean; 0 = not known */
    uint64_t peak_ns[PACE_KINDS]; /* of late */
};

/* What to take for a launch. */
uint64_t pace_estimate(const struct pace_meter *meter, enum pace_kind kind);

/* How many launches before the next look. */
uint32_t pace_launches(const struct pace_meter *meter, enum pace_kind kind);

/* True when so much is unfinished that nothing more should be sent. */
bool pace_is_crowded(const struct pace_meter *meter, uint64_t now);

/* False when there is no room; then the marker's launches keep their estimate. */
bool pace_mark(struct pace_meter *meter, const struct pace_marker *marker);

/* The oldest unfinished marker, NULL when there is none. */
const struct pace_marker *pace_oldest(const struct pace_meter *meter);

/* The oldest has finished, by the card's clock so long after the latest one that finished before it, and so long after
 * its own begin (PACE_UNKNOWN where it cannot be told), when so many other processes of the container have work there.
 * What to correct of the estimate. The event that is of no use any more, besides the marker's begin, is put into
 * *spare. */
int64_t pace_finish(struct pace_meter *meter, uint64_t now, int64_t since_latest_ns, int64_t since_begin_ns,
                    unsigned int others, void **spare);

/* So many processes of other containers were at work of late, by the driver's samples. */
void pace_rivals(struct pace_shared *shared, uint64_t now, unsigned int rivals);

/* ---- what the driver measured ---- */

/* The driver's own samples say how much of what we measured is true. Kept by the one that looks. */
struct pace_feedback {
    struct {
        uint64_t at_ns, measured_ns, charged_ns;
    } look[PACE_HISTORY];
    unsigned int looks;
    double driver_ns, own_ns; /* of the last seconds */
};

/* Notes what we have measured so far. */
void pace_note(struct pace_feedback *feedback, const struct pace_shared *shared, uint64_t now);

/* The driver says that from then to then so many processes of ours were at work and had so many percent of the card.
 * Where one of ours and those of other containers take turns, each sample of an H100 (driver 580) names only one of
 * them, with up to twice what it had. Of launches shorter than a turn we know what they cost, for some of them nobody
 * disturbs; then it is not asked. */
void pace_compare(struct pace_feedback *feedback, struct pace_shared *shared, uint64_t now, unsigned int percent,
                  uint64_t from_ns, uint64_t to_ns, unsigned int driver_percent, unsigned int at_work);
