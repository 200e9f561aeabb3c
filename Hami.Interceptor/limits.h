/* What the environment grants this process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_NONE UINT64_MAX

/* A size as HAMi writes it: digits with at most one of k, m, g behind them. False when it is anything else. */
bool size_parse(const char *text, uint64_t *bytes);

/* Bytes for the account: CUDA_DEVICE_MEMORY_LIMIT_<account>, else CUDA_DEVICE_MEMORY_LIMIT, else LIMIT_NONE.
 * A text that is no size grants nothing (0): a typing error must not hand out the whole card. */
uint64_t limit_of_memory(unsigned int account);

/* Percent for the account, 100 when not said. Recorded for monitors; nothing here holds a kernel back yet. */
uint64_t limit_of_cores(unsigned int account);
