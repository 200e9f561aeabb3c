/* The budget of one card, shared by all processes of the container. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Charges the bytes if the container stays within its limit, dead processes' share taken back first if need be, and
 * what pools of this process keep without need.
 * Atomic across processes: what all hold together never exceeds the limit. */
bool account_reserve(unsigned int account, uint64_t bytes);

/* The same without asking our own pools to give back first. */
bool account_reserve_now(unsigned int account, uint64_t bytes);

/* Charges what is there already, whatever the limit: then nothing more is given until enough came back. */
void account_force(unsigned int account, uint64_t bytes);

/* Gives back what was reserved. */
void account_return(unsigned int account, uint64_t bytes);

/* Bytes all live processes hold; dead ones are cleared away first. */
uint64_t account_used(unsigned int account);

/* Bytes, or LIMIT_NONE. */
uint64_t account_limit(unsigned int account);

/* As how large a card of that size is shown: never larger than it is, unless its memory is oversubscribed. */
uint64_t account_size(unsigned int account, uint64_t physical_bytes);
