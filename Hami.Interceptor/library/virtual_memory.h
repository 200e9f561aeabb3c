/* The books of physical memory by handle: a block is kept by handles, by mappings, and by multicast objects. Held
 * through all of it: state.mapping. */
#pragma once

#include <stdint.h>

#include "cuda_abi.h"

/* A block nobody keeps yet; one without bytes is a multicast object. */
uint64_t block_new(unsigned int account, uint64_t bytes);
void block_hold(uint64_t number);
void block_drop(uint64_t number);

/* One more release is due for the handle, which stands for the block; 0 when it is not one of ours. */
void handle_hold(CUmemGenericAllocationHandle number, uint64_t block);

/* 0: not ours. */
uint64_t block_of_handle(CUmemGenericAllocationHandle number);
