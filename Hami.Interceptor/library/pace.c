#include "pace.h"

enum { SCALE_ONE = 65536, SCALE_LEAST = SCALE_ONE / 8, SCALE_MOST = SCALE_ONE * 3 / 2 };
#define MOST_AT_ONCE_NS INT64_C(60000000000)
#define REMEMBERED_NS 1e9 /* of the driver's samples, by and by */
#define BELIEVED_NS 0.3e9 /* that our own measure is right, before there were any */
#define TRUED_UP 0.5      /* of what we charged too little or too much, at once: samples and looks do not quite agree */
#define TRUED_UP_MOST_NS 50e6
enum { RIVALS_MOST = 64, RIVALS_LAST_NS = 1500000000 };

/* ---- the container's budget ---- */

/* As the driver would have measured it. */
static int64_t scaled(const struct pace_shared *shared, int64_t ns)
{
    uint64_t scale = atomic_load_explicit(&shared->scale, memory_order_relaxed);
    if (scale < SCALE_LEAST || scale > SCALE_MOST)
        scale = SCALE_ONE;
    if (ns > MOST_AT_ONCE_NS)
        ns = MOST_AT_ONCE_NS;
    if (ns < -MOST_AT_ONCE_NS)
        ns = -MOST_AT_ONCE_NS;
    return ns * (int64_t)scale / SCALE_ONE;
}

static void note(struct pace_shared *shared, int64_t measured_ns, int64_t charged_ns)
{
    atomic_fetch_add_explicit(&shared->measured_ns, (uint64_t)measured_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->charged_ns, (uint64_t)charged_ns, memory_order_relaxed);
}

static uint64_t debt_end(uint64_t now, unsigned int percent)
{
    return now + (uint64_t)PACE_DEBT_NS * 100 / percent;
}

/* Not before the burst; and what no debt explains is of another boot, or nonsense. */
static uint64_t spent_until(uint64_t word, uint64_t now, unsigned int percent)
{
    uint64_t earliest = now > PACE_BURST_NS ? now - PACE_BURST_NS : 0;
    if (word > debt_end(now, percent) + PACE_BURST_NS)
        return now;
    return word < earliest ? earliest : word;
}

static uint64_t moved(uint64_t until, int64_t charged_ns, uint64_t now, unsigned int percent)
{
    uint64_t latest = debt_end(now, percent);
    int64_t by = charged_ns * 100 / (int64_t)percent;
    until = by < 0 && until < (uint64_t)-by ? 0 : until + (uint64_t)by;
    return until > latest ? latest : until;
}

uint64_t pace_take(struct pace_shared *shared, uint64_t now, unsigned int percent, uint64_t estimate_ns)
{
    uint64_t word = atomic_load(&shared->spent_until_ns), until;
    int64_t charged_ns = scaled(shared, (int64_t)estimate_ns);
    do {
        until = spent_until(word, now, percent);
        if (until > now)
            return until - now;
    } while (!atomic_compare_exchange_weak(&shared->spent_until_ns, &word, moved(until, charged_ns, now, percent)));
    note(shared, (int64_t)estimate_ns, charged_ns);
    return 0;
}

static void charge(struct pace_shared *shared, uint64_t now, unsigned int percent, int64_t charged_ns)
{
    uint64_t word = atomic_load(&shared->spent_until_ns);
    while (!atomic_compare_exchange_weak(&shared->spent_until_ns, &word,
                                         moved(spent_until(word, now, percent), charged_ns, now, percent)))
        ;
}

void pace_correct(struct pace_shared *shared, uint64_t now, unsigned int percent, int64_t ns)
{
    int64_t charged_ns = scaled(shared, ns);
    charge(shared, now, percent, charged_ns);
    note(shared, ns, charged_ns);
}

enum { PRESENT = sizeof((struct pace_shared){0}.present_until_ns) / sizeof(uint64_t) };

void pace_present(struct pace_shared *shared, unsigned int process, uint64_t until_ns)
{
    atomic_store_explicit(&shared->present_until_ns[process % PRESENT], until_ns, memory_order_relaxed);
}

static unsigned int rivals_of_late(const struct pace_shared *shared, uint64_t now)
{
    bool of_late = shared->rivals_until_ns > now && shared->rivals_until_ns - now <= RIVALS_LAST_NS;
    return of_late && shared->rivals < RIVALS_MOST ? (unsigned int)shared->rivals : 0;
}

/* A sample may name only one of those at work: what a look does not see need not be gone. */
void pace_rivals(struct pace_shared *shared, uint64_t now, unsigned int rivals)
{
    if (rivals == 0 && rivals_of_late(shared, now) > 0)
        return;
    atomic_store_explicit(&shared->rivals, rivals, memory_order_relaxed);
    atomic_store_explicit(&shared->rivals_until_ns, now + RIVALS_LAST_NS, memory_order_relaxed);
}

/* Of long launches the driver says enough, and what each costs is not seen while others are there. */
unsigned int pace_others(const struct pace_shared *shared, unsigned int process, uint64_t now)
{
    unsigned int others = shared->launch_ns < PACE_TURN_NS ? rivals_of_late(shared, now) : 0;
    for (unsigned int i = 0; i < PRESENT; i++)
        others += i != process % PRESENT && shared->present_until_ns[i] > now;
    return others;
}

/* ---- what one process has on the card ---- */

uint64_t pace_estimate(const struct pace_meter *meter, enum pace_kind kind)
{
    return meter->cost_ns[kind] ? meter->cost_ns[kind] : PACE_GUESS_NS;
}

uint32_t pace_launches(const struct pace_meter *meter, enum pace_kind kind)
{
    uint64_t cost_ns = meter->cost_ns[kind] > meter->peak_ns[kind] ? meter->cost_ns[kind] : meter->peak_ns[kind];
    if (meter->cost_ns[kind] == 0)
        return 1;
    uint64_t launches = PACE_BATCH_NS / (cost_ns ? cost_ns : 1);
    return launches < 1 ? 1 : launches > PACE_LAUNCHES_MAX ? PACE_LAUNCHES_MAX : (uint32_t)launches;
}

const struct pace_marker *pace_oldest(const struct pace_meter *meter)
{
    return meter->count > 0 ? &meter->ring[meter->first] : NULL;
}

bool pace_is_crowded(const struct pace_meter *meter, uint64_t now)
{
    const struct pace_marker *oldest = pace_oldest(meter);
    if (!oldest)
        return false;
    return meter->count == PACE_MARKERS || meter->in_flight_ns > PACE_IN_FLIGHT_NS ||
           now > oldest->recorded_ns + PACE_IN_FLIGHT_NS || meter->cost_ns[oldest->kind] == 0;
}

bool pace_mark(struct pace_meter *meter, const struct pace_marker *marker)
{
    if (meter->count == PACE_MARKERS)
        return false;
    meter->ring[(meter->first + meter->count) % PACE_MARKERS] = *marker;
    meter->count++;
    meter->in_flight_ns += marker->estimate_ns;
    return true;
}

static uint64_t at_least_zero(int64_t ns)
{
    return ns < 0 ? 0 : (uint64_t)ns;
}

/* Time on the card since the latest one finished: at most what passed there. Less when others had turns in between (a
 * launch shorter than a turn, measured by itself, was in one), or when it was idle while we sent. How much less, what
 * launches cost of late must tell. */
static uint64_t busy_of(const struct pace_meter *meter, const struct pace_marker *marker, uint64_t own_ns,
                        int64_t since_latest_ns, double sharers)
{
    uint64_t most_ns = since_latest_ns == PACE_UNKNOWN ? own_ns : at_least_zero(since_latest_ns);
    if (marker->begin && own_ns < most_ns)
        most_ns = own_ns;
    uint64_t least_ns = marker->begin && most_ns <= PACE_TURN_NS ? most_ns : (uint64_t)((double)most_ns / sharers);
    least_ns = least_ns > marker->pause_ns ? least_ns - marker->pause_ns : 0;
    uint64_t usual_ns = marker->launches * meter->cost_ns[marker->kind];
    uint64_t spread_ns = sharers > 1 && marker->launches == 1 ? usual_ns / 2 : usual_ns / 8; /* launches differ */
    if (usual_ns == 0 || usual_ns + spread_ns > most_ns)
        return most_ns;
    return usual_ns < least_ns ? least_ns : usual_ns;
}

static void learn(struct pace_meter *meter, enum pace_kind kind, uint64_t ns)
{
    uint64_t *cost_ns = &meter->cost_ns[kind], *peak_ns = &meter->peak_ns[kind];
    *cost_ns = *cost_ns == 0 ? ns : (*cost_ns * 7 + ns) / 8;
    if (*cost_ns == 0)
        *cost_ns = 1;
    *peak_ns = ns > *peak_ns ? (*peak_ns + ns) / 2 : *peak_ns - *peak_ns / 16;
}

int64_t pace_finish(struct pace_meter *meter, uint64_t now, int64_t since_latest_ns, int64_t since_begin_ns,
                    unsigned int others, void **spare)
{
    struct pace_marker marker = meter->ring[meter->first];
    meter->first = (meter->first + 1) % PACE_MARKERS;
    meter->count--;
    meter->in_flight_ns -= marker.estimate_ns;

    uint64_t since = marker.recorded_ns > meter->seen_ns || marker.begin ? marker.recorded_ns : meter->seen_ns;
    uint64_t own_ns = since_begin_ns != PACE_UNKNOWN ? at_least_zero(since_begin_ns) : now > since ? now - since : 0;
    double sharers = 1 + (others + marker.others) / 2.0;
    uint64_t busy_ns = busy_of(meter, &marker, own_ns, since_latest_ns, sharers);
    learn(meter, marker.kind, busy_ns / marker.launches);

    bool earlier = meter->latest && since_latest_ns != PACE_UNKNOWN && since_latest_ns < 0; /* of another stream */
    *spare = earlier ? marker.end : meter->latest;
    if (!earlier)
        meter->latest = marker.end;
    meter->seen_ns = now;
    return (int64_t)busy_ns - (int64_t)marker.estimate_ns;
}

/* ---- what the driver measured ---- */

void pace_note(struct pace_feedback *feedback, const struct pace_shared *shared, uint64_t now)
{
    unsigned int place = feedback->looks++ % PACE_HISTORY;
    feedback->look[place].at_ns = now;
    feedback->look[place].measured_ns = atomic_load_explicit(&shared->measured_ns, memory_order_relaxed);
    feedback->look[place].charged_ns = atomic_load_explicit(&shared->charged_ns, memory_order_relaxed);
}

struct grown {
    double measured_ns, charged_ns;
};

/* Since the look at place 0, between two looks as if it had grown evenly. False when we do not remember. */
static bool grown_at(const struct pace_feedback *feedback, uint64_t at_ns, struct grown *grown)
{
    unsigned int looks = feedback->looks < PACE_HISTORY ? feedback->looks : PACE_HISTORY;
    for (unsigned int i = 1; i < looks; i++) {
        unsigned int later = (feedback->looks - i) % PACE_HISTORY, earlier = (feedback->looks - i - 1) % PACE_HISTORY;
        uint64_t from_ns = feedback->look[earlier].at_ns, to_ns = feedback->look[later].at_ns;
        if (at_ns < from_ns || at_ns > to_ns || from_ns == to_ns)
            continue;
        double part = (double)(at_ns - from_ns) / (double)(to_ns - from_ns);
#define GROWN(word)                                                                                                    \
    ((double)(int64_t)(feedback->look[earlier].word - feedback->look[0].word) +                                        \
     (double)(int64_t)(feedback->look[later].word - feedback->look[earlier].word) * part)
        *grown = (struct grown){GROWN(measured_ns), GROWN(charged_ns)};
#undef GROWN
        return true;
    }
    return false;
}

static double within(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

void pace_compare(struct pace_feedback *feedback, struct pace_shared *shared, uint64_t now, unsigned int percent,
                  uint64_t from_ns, uint64_t to_ns, unsigned int driver_percent, unsigned int at_work)
{
    struct grown from, to;
    double length_ns = (double)(to_ns - from_ns), driver_ns = length_ns * driver_percent / 100;
    if (from_ns >= to_ns || !grown_at(feedback, from_ns, &from) || !grown_at(feedback, to_ns, &to))
        return;
    double charged_ns = to.charged_ns - from.charged_ns;
    bool takes_turns = rivals_of_late(shared, now) > 0 && at_work <= 1;
    if (takes_turns && atomic_load_explicit(&shared->launch_ns, memory_order_relaxed) < PACE_TURN_NS) {
        atomic_store_explicit(&shared->scale, SCALE_ONE, memory_order_relaxed);
        feedback->driver_ns = feedback->own_ns = 0;
        return;
    }
    if (feedback->own_ns == 0)
        feedback->driver_ns = feedback->own_ns = BELIEVED_NS;
    double kept = length_ns < REMEMBERED_NS ? 1 - length_ns / REMEMBERED_NS : 0;
    feedback->driver_ns = feedback->driver_ns * kept + driver_ns;
    feedback->own_ns = feedback->own_ns * kept + to.measured_ns - from.measured_ns;
    if (feedback->own_ns < length_ns / 1000)
        return;
    double scale = within(feedback->driver_ns / feedback->own_ns * SCALE_ONE, SCALE_LEAST, SCALE_MOST);
    atomic_store_explicit(&shared->scale, (uint64_t)scale, memory_order_relaxed);
    double more_ns = (driver_ns - charged_ns) * TRUED_UP;
    charge(shared, now, percent, (int64_t)within(more_ns, -TRUED_UP_MOST_NS, TRUED_UP_MOST_NS));
}
