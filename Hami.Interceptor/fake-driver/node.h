/* The cards of a pretended node and the memory given out on them, shared by all its processes through a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CARDS_MAX = 64, PROCESSES_MAX = 4096 };

struct process {
    _Atomic int32_t pid; /* 0 = free; then the rest says nothing */
    _Atomic uint64_t start_ticks;
    _Atomic uint64_t used_bytes[CARDS_MAX];
};

/* The file beside the list of cards; tests read it. */
struct ledger {
    _Atomic uint64_t peak_bytes[CARDS_MAX]; /* the most that was ever given out at one time */
    struct process process[PROCESSES_MAX];
};

struct card {
    char uuid[96];
    char model[96];
    uint64_t memory_bytes;
    unsigned int multiprocessors;
    unsigned int number; /* of the card on the node: its line in the file */
};

/* Reads HAMI_FAKE_DRIVER, keeping the cards NVIDIA_VISIBLE_DEVICES names, in that order; how many, -1 without a node.
 */
int node_cards(struct card cards[CARDS_MAX]);

/* This process begins anew: what its pid held before an exec is free. */
void node_begin(void);

/* Takes memory of a card for this process; false when the card is physically full. */
bool node_take(const struct card *card, uint64_t bytes);
void node_give(const struct card *card, uint64_t bytes);

/* Bytes all living processes of the node hold on the card. */
uint64_t node_used(const struct card *card);

/* The living processes that hold memory of the card; fills at most `room`, answers how many there are. */
struct holder {
    uint32_t pid;
    uint64_t bytes;
};
unsigned int node_holders(const struct card *card, struct holder *holders, unsigned int room);

/* The sixteen bytes of "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"; a name of another shape is hashed. */
void uuid_bytes(const char *uuid, unsigned char bytes[16]);

/* HAMI_FAKE_FAIL=symbol:nth:code[,...]: the code when this is the nth call of the symbol (counted from 1; 0: every
 * call), else 0. With code -9 the process is killed there. */
int node_injected(const char *symbol);
