/* The file that all processes of one container share: HAMi's v1.2 layout as a prefix, our extension behind it.
 * A byte pattern of zeroes is a valid empty extension, so creating the file needs no lock. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEVICES_MAX = 16, SLOTS_MAX = 1024 };

/* HAMi-core v1.2; the monitor of HAMi maps it and reads it. Offsets are checked below and in tests/. */
struct v1_used {
    _Atomic uint64_t context_bytes, module_bytes, data_bytes, offset_bytes, total_bytes, unused[3];
};

struct v1_utilization {
    uint64_t decoder, encoder, sm, unused[3];
};

struct v1_process {
    _Atomic int32_t pid;
    _Atomic int32_t host_pid;
    struct v1_used used[DEVICES_MAX];
    uint64_t monitor_used_bytes[DEVICES_MAX];
    struct v1_utilization utilization[DEVICES_MAX];
    _Atomic int32_t status;
    uint64_t seqlock;
    uint64_t unused[2];
};

struct v1_semaphore {
    uint64_t value;
    uint32_t shared;
    uint32_t unused[5];
};

struct v1_region {
    _Atomic int32_t magic;
    uint32_t major, minor;
    int32_t sm_init_flag;
    uint64_t owner_pid;
    struct v1_semaphore semaphore;
    _Atomic uint64_t device_count;
    char uuids[DEVICES_MAX][96];
    _Atomic uint64_t limit_bytes[DEVICES_MAX];
    _Atomic uint64_t sm_limit_percent[DEVICES_MAX];
    struct v1_process processes[SLOTS_MAX];
    _Atomic int32_t process_count;
    _Atomic int32_t utilization_switch;
    _Atomic int32_t recent_kernel;
    int32_t priority;
    _Atomic uint64_t last_kernel_time;
    struct v1_semaphore semaphore_postinit;
};

enum { V1_MAGIC = 19920718, V1_MAJOR = 1, V1_MINOR = 2, V1_STATUS_RUNNING = 1 };

_Static_assert(sizeof(struct v1_process) == 1960, "v1 slot");
_Static_assert(offsetof(struct v1_process, used) == 8, "v1 slot");
_Static_assert(offsetof(struct v1_process, monitor_used_bytes) == 1032, "v1 slot");
_Static_assert(offsetof(struct v1_process, utilization) == 1160, "v1 slot");
_Static_assert(offsetof(struct v1_process, status) == 1928, "v1 slot");
_Static_assert(offsetof(struct v1_process, seqlock) == 1936, "v1 slot");
_Static_assert(offsetof(struct v1_region, owner_pid) == 16, "v1 region");
_Static_assert(offsetof(struct v1_region, semaphore) == 24, "v1 region");
_Static_assert(offsetof(struct v1_region, device_count) == 56, "v1 region");
_Static_assert(offsetof(struct v1_region, uuids) == 64, "v1 region");
_Static_assert(offsetof(struct v1_region, limit_bytes) == 1600, "v1 region");
_Static_assert(offsetof(struct v1_region, sm_limit_percent) == 1728, "v1 region");
_Static_assert(offsetof(struct v1_region, processes) == 1856, "v1 region");
_Static_assert(offsetof(struct v1_region, process_count) == 2008896, "v1 region");
_Static_assert(offsetof(struct v1_region, utilization_switch) == 2008900, "v1 region");
_Static_assert(offsetof(struct v1_region, recent_kernel) == 2008904, "v1 region");
_Static_assert(offsetof(struct v1_region, priority) == 2008908, "v1 region");
_Static_assert(offsetof(struct v1_region, last_kernel_time) == 2008912, "v1 region");
_Static_assert(offsetof(struct v1_region, semaphore_postinit) == 2008920, "v1 region");
_Static_assert(sizeof(struct v1_region) == 2008952, "v1 region");

/* One process, at a place that is its own for life. Only its owner adds to the counters. */
struct slot {
    _Alignas(64) _Atomic uint64_t owner; /* identity of the process (identity.h); 0 = free */
    _Atomic uint32_t pid_namespace;      /* inode; pids of another namespace say nothing about life and death */
    _Alignas(64) struct {
        _Atomic uint64_t used_bytes;               /* given out */
        _Atomic uint64_t pending_bytes;            /* asked for, not yet verified against the limit */
        _Atomic uint64_t peak_bytes, trough_bytes; /* the most and the least used since the watcher last looked */
        _Atomic uint64_t peak_before_bytes;        /* the most between its last two looks */
        _Atomic uint64_t unseen_bytes;             /* what the driver counts beyond what we do (backstop.c) */
    } device[DEVICES_MAX];
};

/* What all processes of the container share for pacing kernels on one card (pace.c). Each word is right by itself:
 * a process killed between two of them leaves nothing that others wait for. */
struct pace_shared {
    _Alignas(64) _Atomic uint64_t spent_until_ns; /* CLOCK_MONOTONIC up to which the share is used up */
    _Atomic uint64_t measured_ns;                 /* time on the card as our processes measured it, ever growing */
    _Atomic uint64_t charged_ns;                  /* what was taken from the share for it, ever growing */
    _Atomic uint64_t scale;                       /* what the driver measured for each such ns, in 1/65536; 0 = 1 */
    _Atomic uint64_t probe_ns; /* of the first card's only: when we lifted a block to see whether its setter lives */
    _Atomic uint64_t rivals;   /* processes of other containers that the driver saw at work */
    _Atomic uint64_t rivals_until_ns;     /* when that is too long ago to count */
    _Atomic uint64_t launch_ns;           /* what one takes of late */
    _Atomic uint64_t present_until_ns[8]; /* by slot, modulo: that process has work on the card */
};

#define EXTENSION_MAGIC UINT64_C(0x31746e657645696d) /* our own; v1 readers never look here */

struct extension {
    _Atomic uint64_t magic;
    _Atomic uint32_t version;
    uint32_t slot_bytes;
    _Atomic uint32_t slots_high;                    /* no slot at or above was ever taken */
    _Atomic uint64_t limit_complement[DEVICES_MAX]; /* ~bytes: zeroes mean no limit */
    _Atomic uint64_t watch_beat_ns;                 /* CLOCK_MONOTONIC, when the container's watcher last looked */
    struct pace_shared pace[DEVICES_MAX];
    _Alignas(4096) struct slot slots[SLOTS_MAX];
};

enum { EXTENSION_VERSION = 2, EXTENSION_OFFSET = 2011136, REGION_BYTES = 2867200 };

_Static_assert(sizeof(struct slot) == 832, "extension");
_Static_assert(sizeof(struct pace_shared) == 128, "extension");
_Static_assert(EXTENSION_OFFSET % 4096 == 0 && EXTENSION_OFFSET >= sizeof(struct v1_region), "extension");
_Static_assert(EXTENSION_OFFSET + sizeof(struct extension) == REGION_BYTES, "extension");

/* This process's view of the region. */
struct region {
    struct v1_region *v1;
    struct extension *extension;
    unsigned int index; /* of our slot */
    uint64_t identity;
    uint32_t pid_namespace;
    int file; /* -1 when private to this process */
};

/* Attached on first use, at worst one private to this process; NULL only without any memory left. */
struct region *region_attach(void);

/* Says in the region which card an account is; monitors read it there. */
void region_name(unsigned int account, const char *uuid);

/* In a forked child: forget the parent's slot. */
void region_forget(void);
