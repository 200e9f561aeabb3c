/* A charge on the current device's account, from the question to the driver until its answer. */
#pragma once

#include "allocations.h"
#include "cuda_abi.h"

struct charge {
    unsigned int account;
    uint64_t bytes;
    uint64_t context; /* the memory dies with it; 0 = with none */
};

/* Reserves on the current device. What it returns instead of success is what the driver would have returned. */
CUresult charge_open(struct charge *charge, uint64_t bytes);

/* Keeps the charge under the pointer when the driver's result is success, else gives it back. Returns the result. */
CUresult charge_close(const struct charge *charge, CUresult result, CUdeviceptr pointer);

/* Remembers that the pointer is a part of the pool, which is charged as a whole. */
struct pool;
void charge_pooled(CUdeviceptr pointer, struct pool *pool);

/* Takes the pointer off the books before the driver frees it; false when it is not on them. */
bool charge_lift(struct allocation *lifted, CUdeviceptr pointer);

/* After the driver's answer: gives the charge back, or puts it on the books again. Returns the result. */
CUresult charge_settle(bool known, const struct allocation *lifted, CUresult result);
