#define _GNU_SOURCE
#include "feedback.h"

#include <string.h>
#include <time.h>

#include "clock.h"
#include "driver.h"
#include "gate.h"
#include "host_pid.h"

enum { SAMPLES_MAX = 1024, SAMPLE_MOST_US = 1100000, AT_WORK_PERCENT = 2 };

/* Held: state.asking. */
static struct {
    nvmlProcessUtilizationSample_t place[SAMPLES_MAX];
    unsigned int count;
} sampled;

/* False when there is nothing new, or the driver does not sample processes (MIG, WSL). */
static bool samples_read(const char *uuid, uint64_t since_us)
{
    nvmlDevice_t device;
    sampled.count = SAMPLES_MAX;
    return !atomic_load(&state.ending) && nvml_started() &&
           nvml()->nvmlDeviceGetHandleByUUID(uuid, &device) == NVML_SUCCESS &&
           nvml()->nvmlDeviceGetProcessUtilization(device, sampled.place, &sampled.count, since_us) == NVML_SUCCESS &&
           sampled.count > 0;
}

static unsigned int percent_of(uint32_t pid, uint64_t since_us, uint64_t *newest_us)
{
    unsigned int percent = 0;
    for (unsigned int i = 0; i < sampled.count && i < SAMPLES_MAX; i++) {
        if (sampled.place[i].timeStamp <= since_us)
            continue;
        if (sampled.place[i].timeStamp > *newest_us)
            *newest_us = sampled.place[i].timeStamp;
        if (sampled.place[i].pid == pid && sampled.place[i].smUtil <= 100)
            percent = sampled.place[i].smUtil;
    }
    return percent;
}

/* What the driver says of the card since its last samples. */
struct seen {
    uint64_t newest_us; /* 0 = there are none */
    unsigned int percent, at_work, rivals;
    bool known; /* every process of the container by its pid */
};

static void sum_ours(struct region *region, unsigned int account, uint64_t since_us, struct seen *seen)
{
    seen->known = true;
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++) {
        if (atomic_load(&region->extension->slots[i].owner) == 0)
            continue;
        uint32_t pid = host_pid_of(region, i);
        unsigned int percent = percent_of(pid, since_us, &seen->newest_us);
        seen->known &= pid != 0;
        seen->percent += pid ? percent : 0;
        seen->at_work += pid && percent >= AT_WORK_PERCENT;
        region->v1->processes[i].utilization[account].sm = pid ? percent : 0; /* for monitors */
    }
}

static bool is_ours(const struct region *region, uint32_t pid)
{
    unsigned int high = atomic_load(&region->extension->slots_high);
    for (unsigned int i = 0; i < high && i < SLOTS_MAX; i++)
        if (atomic_load(&region->extension->slots[i].owner) != 0 && host_pid_of(region, i) == pid)
            return true;
    return false;
}

static void count_rivals(const struct region *region, uint64_t since_us, struct seen *seen)
{
    for (unsigned int i = 0; i < sampled.count && i < SAMPLES_MAX; i++) {
        const nvmlProcessUtilizationSample_t *sample = &sampled.place[i];
        bool works = sample->timeStamp > since_us && sample->smUtil >= AT_WORK_PERCENT && sample->smUtil <= 100;
        for (unsigned int j = 0; works && j < i; j++)
            works = sampled.place[j].pid != sample->pid; /* not twice */
        seen->rivals += works && !is_ours(region, sample->pid);
    }
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void look_at(struct region *region, unsigned int account)
{
    struct feedback *feedback = &state.feedback[account];
    struct pace_shared *shared = &region->extension->pace[account];
    uint64_t now_ns = precise_ns(), now_us = clock_us(CLOCK_REALTIME);
    char uuid[sizeof region->v1->uuids[0] + 1] = {0};
    memcpy(uuid, region->v1->uuids[account], sizeof region->v1->uuids[0]);
    if (cores_are_held_back(region, account))
        pace_note(&feedback->pace, shared, now_ns);
    else
        feedback->pace = (struct pace_feedback){0}; /* nothing is charged, so there is nothing to compare */
    if (!*uuid)
        return;
    struct seen seen = {0};
    int cancelling;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&state.asking);
    if (samples_read(uuid, feedback->newest_us)) {
        sum_ours(region, account, feedback->newest_us, &seen);
        count_rivals(region, feedback->newest_us, &seen);
    }
    pthread_mutex_unlock(&state.asking);
    pthread_setcancelstate(cancelling, NULL);
    if (seen.newest_us == 0 || seen.newest_us > now_us)
        return;
    uint64_t from_us = feedback->newest_us;
    feedback->newest_us = seen.newest_us;
    if (!seen.known)
        return;
    pace_rivals(shared, now_ns, seen.rivals);
    if (from_us == 0 || seen.newest_us - from_us > SAMPLE_MOST_US)
        return; /* the first for a while: since when it counts is not known */
    pace_compare(&feedback->pace, shared, now_ns, state.settings.core_percent[account],
                 now_ns - (now_us - from_us) * 1000, now_ns - (now_us - seen.newest_us) * 1000, seen.percent,
                 seen.at_work);
}

void feedback_look(struct region *region)
{
    if (!cores_are_limited())
        return;
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        if (state.settings.core_percent[account] < 100)
            look_at(region, account);
}

void feedback_forget(void)
{
    memset(state.feedback, 0, sizeof state.feedback);
}
