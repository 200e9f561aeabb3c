/* The cards of a pretended node and the memory given out on them, shared by all its processes through a file. */
#pragma once

#include "cards.h"

enum { PROCESSES_MAX = 4096, INJECTIONS_MAX = 16 };

struct process {
    _Atomic int32_t pid; /* 0 = free; then the rest says nothing */
    _Atomic uint64_t start_ticks;
    _Atomic uint64_t used_bytes[BOOKS_MAX];
    _Atomic uint32_t contexts[BOOKS_MAX];
};

/* The file beside the list of cards; tests read it. */
struct ledger {
    _Atomic uint64_t peak_bytes[BOOKS_MAX]; /* the most that was ever given out at one time */
    struct process process[PROCESSES_MAX];
};

/* This process begins anew: what its pid held before an exec is free. */
void node_begin(void);

/* Takes memory of a card for this process; false when the card is physically full. */
bool node_take(const struct card *card, uint64_t bytes);
void node_give(const struct card *card, uint64_t bytes);

/* A context more (1) or less (-1) of this process: who has one on an instance is on it, without a byte, too. */
void node_context(const struct card *card, int more);

/* Bytes all living processes of the node hold on the card. */
uint64_t node_used(const struct card *card);

/* The living processes that hold memory of the card; fills at most `room`, answers how many there are. */
struct holder {
    uint32_t pid;
    uint64_t bytes;
};
unsigned int node_holders(const struct card *card, struct holder *holders, unsigned int room);

/* HAMI_FAKE_FAIL=symbol:nth:code[,...]: the code when this is the nth call of the symbol (counted from 1; 0: every
 * call), else 0. With code -9 the process is killed there. */
int node_injected(const char *symbol);
int node_injected_by(const char *list, const char *symbol, _Atomic unsigned int calls[INJECTIONS_MAX]);
