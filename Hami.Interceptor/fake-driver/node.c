#define _GNU_SOURCE
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- ledger ---- */

static struct {
    pthread_mutex_t lock;
    int file;
    pid_t pid;
    struct ledger *ledger;
    struct process *own;
} node = {.lock = PTHREAD_MUTEX_INITIALIZER, .file = -1};

static void forget_lock(void)
{
    pthread_mutex_init(&node.lock, NULL); /* a thread that the child has not may have held it */
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_lock);
}

enum life { LIFE_GONE, LIFE_UNKNOWN, LIFE_GOES_ON };

/* A card takes memory back when a process ends, before anybody can see its zombie. So must we: one counted a moment
 * longer looks as if the others had passed their limit. ESRCH: reaped between two steps of our look. */
static enum life process_look(int pid, uint64_t *start_ticks)
{
    char path[32], text[1024], process_state;
    unsigned long long ticks;
    long threads;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT || errno == ESRCH ? LIFE_GONE : LIFE_UNKNOWN;
    ssize_t length = read(file, text, sizeof text - 1);
    int error = errno;
    close(file);
    if (length < 0)
        return error == ESRCH ? LIFE_GONE : LIFE_UNKNOWN;
    text[length] = '\0';
    char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %llu",
               &process_state, &threads, &ticks) != 3)
        return LIFE_UNKNOWN;
    *start_ticks = ticks;
    return (process_state == 'Z' && threads <= 1) || process_state == 'X' ? LIFE_GONE : LIFE_GOES_ON;
}

static bool process_lives(const struct process *process)
{
    uint64_t ticks;
    enum life life = process_look(process->pid, &ticks);
    return life == LIFE_UNKNOWN ||
           (life == LIFE_GOES_ON && (process->start_ticks == 0 || ticks == process->start_ticks));
}

static void ledger_open(void)
{
    char path[PATH_BYTES];
    if (!node.ledger) {
        cards_beside(path, ".state");
        node.file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (node.file >= 0 && ftruncate(node.file, sizeof(struct ledger)) != 0) {
            close(node.file);
            node.file = -1;
        }
        int kind = node.file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
        node.ledger = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, kind, node.file, 0);
        if (node.ledger == MAP_FAILED)
            abort();
    }
}

static void ledger_lock(short kind)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_len = 1}; /* ends with the process */
    while (node.file >= 0 && fcntl(node.file, F_SETLKW, &lock) != 0 && errno == EINTR)
        ;
}

/* An entry belongs to its pid, and that is one word: whoever is killed in here leaves it taken or free. */
static void reap(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++) {
        struct process *process = &node.ledger->process[i];
        if (process->pid != 0 && process != node.own && !process_lives(process))
            process->pid = 0;
    }
}

static struct process *free_entry(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (node.ledger->process[i].pid == 0)
            return &node.ledger->process[i];
    return NULL;
}

static struct process *own_process(void)
{
    if (node.own && node.pid == getpid())
        return node.own;
    node.own = NULL;
    node.pid = getpid();
    uint64_t ticks = 0; /* 0 = unknown */
    process_look(node.pid, &ticks);
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (node.ledger->process[i].pid == node.pid && node.ledger->process[i].start_ticks == ticks)
            node.ledger->process[i].pid = 0; /* what we were before an exec */
    struct process *own = free_entry();
    if (!own) {
        reap();
        own = free_entry();
    }
    if (!own)
        abort();
    own->start_ticks = ticks;
    for (int book = 0; book < BOOKS_MAX; book++)
        own->used_bytes[book] = own->contexts[book] = 0; /* what its last owner held */
    own->pid = node.pid;
    node.own = own;
    return own;
}

static uint64_t sum_used(unsigned int card)
{
    uint64_t sum = 0;
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (node.ledger->process[i].pid != 0)
            sum += node.ledger->process[i].used_bytes[card];
    return sum;
}

void node_begin(void)
{
    pthread_mutex_lock(&node.lock);
    ledger_open();
    ledger_lock(F_WRLCK);
    own_process();
    ledger_lock(F_UNLCK);
    pthread_mutex_unlock(&node.lock);
}

bool node_take(const struct card *card, uint64_t bytes)
{
    pthread_mutex_lock(&node.lock);
    ledger_open();
    ledger_lock(F_WRLCK);
    struct process *own = own_process();
    uint64_t used = sum_used(card->number);
    if (bytes > card->memory_bytes || used + bytes > card->memory_bytes ||
        used + bytes > node.ledger->peak_bytes[card->number]) {
        reap();
        used = sum_used(card->number);
    }
    bool fits = bytes <= card->memory_bytes && used <= card->memory_bytes - bytes;
    if (fits) {
        own->used_bytes[card->number] += bytes;
        if (used + bytes > node.ledger->peak_bytes[card->number])
            node.ledger->peak_bytes[card->number] = used + bytes;
    }
    ledger_lock(F_UNLCK);
    pthread_mutex_unlock(&node.lock);
    return fits;
}

void node_give(const struct card *card, uint64_t bytes)
{
    pthread_mutex_lock(&node.lock);
    ledger_open();
    ledger_lock(F_WRLCK);
    own_process()->used_bytes[card->number] -= bytes;
    ledger_lock(F_UNLCK);
    pthread_mutex_unlock(&node.lock);
}

void node_context(const struct card *card, int more)
{
    pthread_mutex_lock(&node.lock);
    ledger_open();
    ledger_lock(F_WRLCK);
    own_process()->contexts[card->number] += (unsigned int)more;
    ledger_lock(F_UNLCK);
    pthread_mutex_unlock(&node.lock);
}

/* Looks only, and without the file's lock. That belongs to the whole process: libnvidia-ml would let go of what libcuda
 * holds. */
uint64_t node_used(const struct card *card)
{
    struct holder holders[PROCESSES_MAX];
    uint64_t used = 0;
    unsigned int count = node_holders(card, holders, PROCESSES_MAX);
    for (unsigned int i = 0; i < count; i++)
        used += holders[i].bytes;
    return used;
}

unsigned int node_holders(const struct card *card, struct holder *holders, unsigned int room)
{
    unsigned int count = 0;
    pthread_mutex_lock(&node.lock);
    ledger_open();
    for (int i = 0; i < PROCESSES_MAX; i++) {
        const struct process *process = &node.ledger->process[i];
        uint64_t bytes = process->used_bytes[card->number];
        bool is_there = bytes != 0 || (card->is_instance && process->contexts[card->number] != 0);
        if (process->pid == 0 || !is_there || !process_lives(process))
            continue;
        if (count < room)
            holders[count] = (struct holder){(uint32_t)process->pid, bytes};
        count++;
    }
    pthread_mutex_unlock(&node.lock);
    return count;
}

/* ---- failures and patience on demand ---- */

/* HAMI_FAKE_SLOW=symbol:milliseconds; with @ before it the name of a file that says so, read at every call. */
static void be_slow(const char *symbol)
{
    char text[256] = "";
    const char *setting = getenv("HAMI_FAKE_SLOW");
    FILE *file = setting && *setting == '@' ? fopen(setting + 1, "re") : NULL;
    if (file) {
        setting = fgets(text, sizeof text, file);
        fclose(file);
    }
    size_t length = strlen(symbol);
    if (!setting || strncmp(setting, symbol, length) != 0 || setting[length] != ':')
        return;
    long ms = atol(setting + length + 1);
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

int node_injected(const char *symbol)
{
    static _Atomic unsigned int calls[INJECTIONS_MAX];
    be_slow(symbol);
    return node_injected_by(getenv("HAMI_FAKE_FAIL"), symbol, calls);
}

int node_injected_by(const char *list, const char *symbol, _Atomic unsigned int calls[INJECTIONS_MAX])
{
    size_t length = strlen(symbol);
    int hit = 0;
    for (int entry = 0; list && *list && entry < INJECTIONS_MAX; entry++) {
        if (strncmp(list, symbol, length) == 0 && list[length] == ':') {
            char *end;
            unsigned long nth = strtoul(list + length + 1, &end, 10);
            int code = *end == ':' ? atoi(end + 1) : 0;
            unsigned int call = atomic_fetch_add(&calls[entry], 1) + 1;
            if (hit == 0 && (nth == 0 || call == nth))
                hit = code;
        }
        list += strcspn(list, ",");
        list += *list == ',';
    }
    if (hit == -9)
        kill(getpid(), SIGKILL);
    return hit;
}
