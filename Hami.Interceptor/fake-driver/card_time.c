#define _GNU_SOURCE
#include "card_time.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct timetable {
    struct {
        _Atomic uint64_t free_ns; /* when all that stands in the queue is done */
        struct {
            _Atomic int32_t pid;
            _Atomic uint64_t sample[SAMPLES_KEPT]; /* number of the sample << 32 | busy ns */
        } process[BUSY_MAX];
    } card[BOOKS_MAX];
};

static struct {
    _Atomic(struct timetable *) timetable;
    _Atomic int own[BOOKS_MAX]; /* place + 1 */
} shared;

uint64_t card_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static struct timetable *timetable(void)
{
    struct timetable *open_already = atomic_load(&shared.timetable), *nothing = NULL;
    if (open_already)
        return open_already;
    char path[PATH_BYTES];
    cards_beside(path, ".time");
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int kind = file >= 0 && ftruncate(file, sizeof(struct timetable)) == 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    struct timetable *mapped =
        mmap(NULL, sizeof *mapped, PROT_READ | PROT_WRITE, kind, kind == MAP_SHARED ? file : -1, 0);
    if (file >= 0)
        close(file);
    if (mapped == MAP_FAILED)
        abort();
    if (!atomic_compare_exchange_strong(&shared.timetable, &nothing, mapped)) {
        munmap(mapped, sizeof *mapped);
        return nothing;
    }
    return mapped;
}

static int own_place(unsigned int card)
{
    int place = atomic_load(&shared.own[card]) - 1, pid = getpid();
    if (place >= 0)
        return place;
    for (int i = 0; i < BUSY_MAX; i++) {
        int32_t holder = atomic_load(&timetable()->card[card].process[i].pid);
        bool is_free = holder == 0 || holder == pid || kill(holder, 0) != 0;
        if (is_free && atomic_compare_exchange_strong(&timetable()->card[card].process[i].pid, &holder, pid)) {
            atomic_store(&shared.own[card], i + 1);
            return i;
        }
    }
    return 0;
}

static void note_busy(unsigned int card, uint64_t from_ns, uint64_t to_ns)
{
    _Atomic uint64_t *samples = timetable()->card[card].process[own_place(card)].sample;
    while (from_ns < to_ns) {
        uint64_t number = from_ns / SAMPLE_NS, end_ns = (number + 1) * SAMPLE_NS;
        uint64_t part_ns = (end_ns < to_ns ? end_ns : to_ns) - from_ns;
        _Atomic uint64_t *sample = &samples[number % SAMPLES_KEPT];
        uint64_t old = atomic_load(sample), next;
        do {
            next = old >> 32 == (number & UINT32_MAX) ? old + part_ns : (number & UINT32_MAX) << 32 | part_ns;
        } while (!atomic_compare_exchange_weak(sample, &old, next));
        from_ns += part_ns;
    }
}

uint64_t card_work(const struct card *card, uint64_t earliest_ns, uint64_t cost_ns)
{
    _Atomic uint64_t *free_ns = &timetable()->card[card->number].free_ns;
    uint64_t now = card_now_ns(), before = atomic_load(free_ns), begin_ns;
    if (earliest_ns < now)
        earliest_ns = now;
    do {
        begin_ns = before > earliest_ns && before < now + UINT64_C(3600000000000) ? before : earliest_ns;
    } while (!atomic_compare_exchange_weak(free_ns, &before, begin_ns + cost_ns));
    note_busy(card->number, begin_ns, begin_ns + cost_ns);
    return begin_ns + cost_ns;
}

unsigned int card_busy(const struct card *card, struct busy *busy, unsigned int room, uint64_t *end_ns)
{
    const char *text = getenv("HAMI_FAKE_UTILISATION");
    uint64_t number = card_now_ns() / SAMPLE_NS - 1;
    unsigned int count = 0;
    *end_ns = (number + 1) * SAMPLE_NS;
    for (int i = 0; i < BUSY_MAX && !(text && *text == '0'); i++) {
        int32_t pid = atomic_load(&timetable()->card[card->number].process[i].pid);
        uint64_t sample = atomic_load(&timetable()->card[card->number].process[i].sample[number % SAMPLES_KEPT]);
        if (pid == 0 || sample >> 32 != (number & UINT32_MAX) || (uint32_t)sample == 0)
            continue;
        if (count < room)
            busy[count] = (struct busy){(uint32_t)pid, (unsigned int)((uint32_t)sample * UINT64_C(100) / SAMPLE_NS)};
        count++;
    }
    return count;
}

void card_forget(void)
{
    for (int i = 0; i < BOOKS_MAX; i++)
        atomic_store(&shared.own[i], 0);
}
