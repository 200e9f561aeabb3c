/* A card in virtual time, by seed: processes whose kernels queue up, turns between them, and the driver's samples. The
 * gate is played by the library's own controller (library/pace.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

enum { TENANTS = 2, WINDOWS_MAX = 1200 };

struct load {
    unsigned int percent; /* asked */
    int processes;
    int64_t kernel_ns;      /* of a launch, on the mean */
    double spread;          /* 0 = all alike; else lengths between 1 - spread and 1 + spread of it */
    int64_t rare_ns;        /* now and then, one this long: 1 of 50 launches; 0 = none */
    int depth;              /* launches before the program waits for its last one; 0 = it never does */
    int64_t think_ns;       /* what the program does between such waits */
    int64_t from_ns, to_ns; /* when it wants to work; to_ns 0 = always */
};

struct plant {
    struct load tenant[TENANTS]; /* percent 0 = not there */
    uint64_t seed;
    bool samples;      /* the driver says what processes have on the card */
    int64_t sample_ns; /* its period */
    int64_t lag_ns;    /* at most */
    int64_t turn_ns;   /* of a process, while others want the card too */
    double
        confusion;  /* of what the driver says all had while several had the card, so much goes to wrong ones at most */
    double unnamed; /* so often a sample does not name the others at work */
    double seconds;
};

struct outcome {
    int windows;                         /* of a second */
    double window[TENANTS][WINDOWS_MAX]; /* percent got in each */
};

void plant_run(const struct plant *plant, struct outcome *outcome);
