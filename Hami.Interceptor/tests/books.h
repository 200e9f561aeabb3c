/* What the interceptor has written down, and what the pretended driver has truly given out. */
#pragma once

#include <stdint.h>

#include "testing.h"

/* All slots' used bytes; pending ones fail the test, for nobody is asking. */
uint64_t books_bytes(unsigned int account);

uint64_t ledger_bytes(unsigned int card);
uint64_t ledger_peak_bytes(unsigned int card);

/* Both agree, and this is what they say. */
#define CHECK_BOOKS(account, bytes)                                                                                    \
    do {                                                                                                               \
        CHECK_EQUAL(ledger_bytes(account), bytes);                                                                     \
        CHECK_EQUAL(books_bytes(account), bytes);                                                                      \
    } while (0)

/* The handle that an answer of success brings; the test fails without. */
unsigned long long made(struct client *client, const char *question);
__attribute__((format(printf, 2, 3))) unsigned long long made_of(struct client *client, const char *format, ...);

/* A moment, in a loop that waits for something to become so. */
void pause_briefly(void);
