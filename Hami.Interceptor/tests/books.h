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

/* A moment, in a loop that waits for something to become so. */
void pause_briefly(void);
