/* The time of the pretended cards, shared by all processes of the node through a file: one queue for each card, in
 * which kernels of everybody stand one behind the other, and how busy each process kept it, sample by sample. */
#pragma once

#include <stdint.h>

#include "node.h"

enum { SAMPLE_NS = 167000000, SAMPLES_KEPT = 16, BUSY_MAX = 64 };

/* CLOCK_MONOTONIC. */
uint64_t card_now_ns(void);

/* Work for this process, which may begin no earlier than that: when it ends. */
uint64_t card_work(const struct card *card, uint64_t earliest_ns, uint64_t cost_ns);

/* Processes that were busy in the latest whole sample, and its end. HAMI_FAKE_UTILISATION=0: none is told. */
struct busy {
    uint32_t pid;
    unsigned int percent;
};
unsigned int card_busy(const struct card *card, struct busy *busy, unsigned int room, uint64_t *end_ns);

/* This process as a parent's child: an entry of its own. */
void card_forget(void);
