#include "plant.h"

#include <stdlib.h>
#include <string.h>

#include "../library/pace.h"

enum { PROCESSES = TENANTS * 4, QUEUE = 1024, EVENTS = 2 * PACE_MARKERS + 4, LOOK_NS = 100 * 1000000, SEEN = 64 };
enum { LAUNCH_NS = 3000, OVERSLEEP_NS = 80000, POLL_NS = 1000000 };

struct event {
    bool taken, recorded; /* recorded: the card has passed it */
    int64_t at_ns;
};

struct entry {
    int64_t left_ns;
    struct event *event; /* a mark, not a kernel */
};

struct process {
    const struct load *load;
    int tenant;
    struct pace_meter meter;
    struct event events[EVENTS];
    struct entry queue[QUEUE];
    int first, count, kernels;
    int64_t wakes_ns;
    uint32_t left, granted; /* launches until the next look */
    uint64_t granted_cost_ns;
    int64_t granted_at_ns;
    int in_batch;
    bool waits;      /* for its last kernel */
    int64_t busy_ns; /* on the card, since the driver's latest sample */
};

struct sample {
    int64_t from_ns, to_ns, known_ns;
    unsigned int percent[TENANTS], at_work[TENANTS];
};

struct run {
    const struct plant *plant;
    struct outcome *outcome;
    struct process process[PROCESSES];
    int processes;
    struct pace_shared shared[TENANTS];
    struct pace_feedback feedback[TENANTS];
    struct sample sample[SEEN];
    unsigned int sampled, looked;
    uint64_t random;
    int64_t now_ns, offset_ns;
    int turn;
    int64_t turn_end_ns;
};

static uint64_t draw(struct run *run)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return run->random;
}

static double draw_unit(struct run *run)
{
    return (double)(draw(run) >> 11) / (double)(UINT64_C(1) << 53);
}

static uint64_t clock_of(const struct run *run)
{
    return (uint64_t)(run->now_ns + run->offset_ns);
}

/* ---- the gate, as library/launch.c has it ---- */

static struct event *event_take(struct process *process)
{
    for (int i = 0; i < EVENTS; i++)
        if (!process->events[i].taken) {
            process->events[i] = (struct event){.taken = true};
            return &process->events[i];
        }
    abort();
}

static void event_give(void *event)
{
    if (event)
        ((struct event *)event)->taken = false;
}

static void queue_put(struct process *process, struct entry entry)
{
    if (process->count == QUEUE)
        abort();
    process->queue[(process->first + process->count++) % QUEUE] = entry;
}

static bool wants(const struct process *process)
{
    return process->kernels > 0;
}

/* The card passes a mark only in its process's turn, or when nobody wants it. */
static void passes_at_once(const struct run *run, struct process *process)
{
    if (process != &run->process[run->turn] && wants(&run->process[run->turn]))
        return;
    while (process->count > 0 && process->queue[process->first].event) {
        struct event *event = process->queue[process->first].event;
        event->recorded = true;
        event->at_ns = run->now_ns;
        process->first = (process->first + 1) % QUEUE;
        process->count--;
    }
}

static void record(const struct run *run, struct process *process, struct event *event)
{
    queue_put(process, (struct entry){.event = event});
    passes_at_once(run, process);
}

static void settle(struct run *run, struct process *process)
{
    struct pace_meter *meter = &process->meter;
    struct pace_shared *shared = &run->shared[process->tenant];
    unsigned int self = (unsigned int)(process - run->process);
    const struct pace_marker *oldest;
    while ((oldest = pace_oldest(meter)) && ((struct event *)oldest->end)->recorded) {
        struct event *end = oldest->end, *begin = oldest->begin, *latest = meter->latest;
        int64_t since_latest_ns = latest ? end->at_ns - latest->at_ns : PACE_UNKNOWN;
        int64_t since_begin_ns = begin ? end->at_ns - begin->at_ns : PACE_UNKNOWN;
        void *spare;
        int64_t ns = pace_finish(meter, clock_of(run), since_latest_ns, since_begin_ns,
                                 pace_others(shared, self, clock_of(run)), &spare);
        event_give(spare);
        event_give(begin);
        pace_correct(shared, clock_of(run), process->load->percent, ns);
    }
    shared->launch_ns = meter->cost_ns[PACE_KERNEL];
    pace_present(shared, self, meter->count ? clock_of(run) + meter->in_flight_ns : 0);
}

/* Behind the launches since the last mark. */
static void close_batch(struct run *run, struct process *process)
{
    if (process->granted < 2)
        return;
    struct pace_marker marker = {.launches = process->granted - 1, .kind = PACE_KERNEL, .end = event_take(process)};
    marker.estimate_ns = marker.launches * process->granted_cost_ns;
    marker.recorded_ns = clock_of(run);
    record(run, process, marker.end);
    marker.pause_ns = (uint64_t)(run->now_ns - process->granted_at_ns);
    marker.others = pace_others(&run->shared[process->tenant], (unsigned int)(process - run->process), clock_of(run));
    process->granted = 0;
    if (!pace_mark(&process->meter, &marker))
        event_give(marker.end);
}

/* How many launches are free now; negative: wait so long. */
static int64_t gate(struct run *run, struct process *process)
{
    close_batch(run, process);
    settle(run, process);
    if (pace_is_crowded(&process->meter, clock_of(run)))
        return -POLL_NS / 4;
    uint32_t launches = pace_launches(&process->meter, PACE_KERNEL);
    uint64_t cost_ns = pace_estimate(&process->meter, PACE_KERNEL);
    uint64_t wait_ns =
        pace_take(&run->shared[process->tenant], clock_of(run), process->load->percent, launches * cost_ns);
    if (wait_ns > 0)
        return wait_ns < POLL_NS ? -(int64_t)wait_ns : -POLL_NS;
    process->granted = launches;
    process->granted_cost_ns = cost_ns;
    process->granted_at_ns = run->now_ns;
    return launches;
}

static int64_t kernel_length(struct run *run, const struct load *load)
{
    if (load->rare_ns && draw(run) % 50 == 0)
        return load->rare_ns;
    return (int64_t)((double)load->kernel_ns * (1 + load->spread * (2 * draw_unit(run) - 1)));
}

static void launch(struct run *run, struct process *process)
{
    queue_put(process, (struct entry){.left_ns = kernel_length(run, process->load)});
    process->kernels++;
    process->in_batch++;
}

static void step(struct run *run, struct process *process)
{
    const struct load *load = process->load;
    if (run->now_ns < load->from_ns || (load->to_ns && run->now_ns >= load->to_ns)) {
        process->wakes_ns = run->now_ns < load->from_ns ? load->from_ns : INT64_MAX;
        return;
    }
    if (load->depth && process->in_batch >= load->depth) {
        if (process->kernels > 0) {
            process->waits = true;
            process->wakes_ns = INT64_MAX;
            return;
        }
        process->in_batch = 0;
        process->wakes_ns = run->now_ns + load->think_ns;
        if (load->think_ns)
            return;
    }
    if (process->count > QUEUE - 8) { /* the driver's own queue is full */
        process->wakes_ns = run->now_ns + 50000;
        return;
    }
    if (process->left > 0) {
        process->left--;
        launch(run, process);
    } else {
        int64_t launches = gate(run, process);
        if (launches < 0) {
            process->wakes_ns = run->now_ns - launches + (int64_t)(draw(run) % OVERSLEEP_NS);
            return;
        }
        struct pace_marker marker = {.launches = 1, .kind = PACE_KERNEL, .estimate_ns = process->granted_cost_ns};
        if (!pace_oldest(&process->meter))
            record(run, process, marker.begin = event_take(process));
        launch(run, process);
        process->left = (uint32_t)launches - 1;
        record(run, process, marker.end = event_take(process));
        marker.recorded_ns = clock_of(run);
        marker.others =
            pace_others(&run->shared[process->tenant], (unsigned int)(process - run->process), clock_of(run));
        if (!pace_mark(&process->meter, &marker))
            abort();
        pace_present(&run->shared[process->tenant], (unsigned int)(process - run->process),
                     clock_of(run) + process->meter.in_flight_ns);
    }
    process->wakes_ns = run->now_ns + LAUNCH_NS;
}

/* ---- the card ---- */

static void account(struct run *run, struct process *process, int64_t from_ns, int64_t to_ns)
{
    process->busy_ns += to_ns - from_ns;
    while (from_ns < to_ns) {
        int64_t window = from_ns / SECOND, end_ns = (window + 1) * SECOND < to_ns ? (window + 1) * SECOND : to_ns;
        if (window < WINDOWS_MAX)
            run->outcome->window[process->tenant][window] += (double)(end_ns - from_ns) / (double)SECOND * 100;
        from_ns = end_ns;
    }
}

static void turn_next(struct run *run)
{
    for (int i = 1; i <= run->processes; i++) {
        int next = (run->turn + i) % run->processes;
        if (wants(&run->process[next])) {
            run->turn = next;
            break;
        }
    }
    run->turn_end_ns = run->now_ns + run->plant->turn_ns;
    passes_at_once(run, &run->process[run->turn]);
    for (int i = 0; !wants(&run->process[run->turn]) && i < run->processes; i++)
        passes_at_once(run, &run->process[i]);
}

/* When something happens on the card by itself. */
static int64_t card_next(struct run *run)
{
    struct process *process = &run->process[run->turn];
    if (!wants(process)) {
        turn_next(run);
        process = &run->process[run->turn];
        if (!wants(process))
            return INT64_MAX;
    }
    int64_t end_ns = run->now_ns + process->queue[process->first].left_ns;
    return end_ns < run->turn_end_ns ? end_ns : run->turn_end_ns;
}

static void card_advance(struct run *run, int64_t to_ns)
{
    struct process *process = &run->process[run->turn];
    if (wants(process)) {
        struct entry *entry = &process->queue[process->first];
        entry->left_ns -= to_ns - run->now_ns;
        account(run, process, run->now_ns, to_ns);
        run->now_ns = to_ns;
        if (entry->left_ns <= 0) {
            process->first = (process->first + 1) % QUEUE;
            process->count--;
            process->kernels--;
            passes_at_once(run, process);
            if (process->waits && process->kernels == 0) {
                process->waits = false;
                process->wakes_ns = run->now_ns + 5000;
            }
        }
    }
    run->now_ns = to_ns;
    if (run->now_ns >= run->turn_end_ns)
        turn_next(run);
}

/* ---- the driver's samples, and the watcher ---- */

static void sample(struct run *run)
{
    struct sample *sample = &run->sample[run->sampled++ % SEEN];
    *sample = (struct sample){.from_ns = run->now_ns - run->plant->sample_ns, .to_ns = run->now_ns};
    sample->known_ns = run->now_ns + (int64_t)(draw_unit(run) * (double)run->plant->lag_ns);
    for (int i = 0; i < run->processes; i++) {
        struct process *process = &run->process[i];
        double percent = (double)process->busy_ns * 100 / (double)run->plant->sample_ns;
        sample->percent[process->tenant] += (unsigned int)(percent + 0.5);
        sample->at_work[process->tenant] += percent >= 2;
        process->busy_ns = 0;
    }
    if (sample->at_work[0] && sample->at_work[1]) {
        double all = sample->percent[0] + sample->percent[1];
        double wrong = all * run->plant->confusion * (2 * draw_unit(run) - 1);
        double first = sample->percent[0] + wrong;
        first = first < 0 ? 0 : first > all ? all : first;
        sample->percent[0] = (unsigned int)(first + 0.5);
        sample->percent[1] = (unsigned int)(all - first + 0.5);
    }
}

static void look(struct run *run)
{
    for (int i = 0; i < TENANTS; i++)
        pace_note(&run->feedback[i], &run->shared[i], clock_of(run));
    while (run->plant->samples && run->looked < run->sampled &&
           run->sample[run->looked % SEEN].known_ns <= run->now_ns) {
        const struct sample *sample = &run->sample[run->looked++ % SEEN];
        for (int i = 0; i < TENANTS; i++) {
            unsigned int rivals = sample->at_work[0] + sample->at_work[1] - sample->at_work[i];
            pace_rivals(&run->shared[i], clock_of(run), draw_unit(run) < run->plant->unnamed ? 0 : rivals);
            if (run->plant->tenant[i].percent)
                pace_compare(&run->feedback[i], &run->shared[i], clock_of(run), run->plant->tenant[i].percent,
                             (uint64_t)(sample->from_ns + run->offset_ns), (uint64_t)(sample->to_ns + run->offset_ns),
                             sample->percent[i], sample->at_work[i]);
        }
    }
}

void plant_run(const struct plant *plant, struct outcome *outcome)
{
    struct run *run = calloc(1, sizeof *run);
    memset(outcome, 0, sizeof *outcome);
    *run = (struct run){.plant = plant, .outcome = outcome, .random = plant->seed * 2654435761u + 88172645463325252u};
    run->offset_ns = 1000 * SECOND;
    for (int tenant = 0; tenant < TENANTS; tenant++)
        for (int i = 0; plant->tenant[tenant].percent && i < plant->tenant[tenant].processes; i++)
            run->process[run->processes++] = (struct process){.load = &plant->tenant[tenant], .tenant = tenant};
    int64_t end_ns = (int64_t)(plant->seconds * (double)SECOND), look_ns = LOOK_NS, sample_ns = plant->sample_ns;
    while (run->now_ns < end_ns) {
        int64_t next_ns = card_next(run);
        struct process *first = NULL;
        for (int i = 0; i < run->processes; i++)
            if (!first || run->process[i].wakes_ns < first->wakes_ns)
                first = &run->process[i];
        if (first->wakes_ns < next_ns)
            next_ns = first->wakes_ns;
        if (look_ns < next_ns)
            next_ns = look_ns;
        if (sample_ns < next_ns)
            next_ns = sample_ns;
        if (next_ns < run->now_ns)
            next_ns = run->now_ns;
        card_advance(run, next_ns);
        if (run->now_ns >= sample_ns) {
            sample(run);
            sample_ns += plant->sample_ns;
        }
        if (run->now_ns >= look_ns) {
            look(run);
            look_ns += LOOK_NS;
        }
        if (first->wakes_ns <= run->now_ns)
            step(run, first);
    }
    outcome->windows = (int)(end_ns / SECOND);
    free(run);
}
