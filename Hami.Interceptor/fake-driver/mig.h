/* What the cards in MIG mode are cut into: a file beside the list of cards, shared by all processes, which it survives.
 */
#pragma once

#include "cards.h"

/* A kind of GPU instance of a model (NVIDIA MIG User Guide, "Supported MIG Profiles"). */
struct mig_profile {
    unsigned int number; /* NVML_GPU_INSTANCE_PROFILE_* */
    unsigned int id;     /* by which the driver knows it */
    const char *name;    /* 1g.5gb */
    unsigned int slices, most, memory_mib, multiprocessors, size;
    unsigned int copy, decoders, encoders, jpegs, ofas;
    int starts[9]; /* -1 after the last */
};

/* Which the model has, NULL behind the last; NULL: none. */
const struct mig_profile *mig_profiles(const struct card *card, unsigned int *count);
const struct mig_profile *mig_profile_numbered(const struct card *card, unsigned int number);
const struct mig_profile *mig_profile_of_id(const struct card *card, unsigned int id);
unsigned int mig_most(const struct card *card); /* devices on a card */

/* A kind of compute instance of such a GPU instance: slices, and what they have; false: no such. */
struct compute_profile {
    unsigned int id, slices, most, multiprocessors;
};
bool mig_compute_profile(const struct card *card, const struct mig_profile *of, unsigned int number,
                         struct compute_profile *profile);

struct gpu_instance {
    unsigned int card, id, profile_id, start, size;
    unsigned int book; /* where its memory is counted */
};

struct compute_instance {
    unsigned int card, gpu_instance, id, profile_id, start, size;
    unsigned int index; /* among the card's MIG devices */
    char uuid[UUID_BYTES];
};

struct mig {
    const struct card *cards;
    int card_count;
    bool is_on[CARDS_MAX], will_be_on[CARDS_MAX];
    struct gpu_instance gpu[INSTANCES_MAX];
    struct compute_instance compute[INSTANCES_MAX];
    int gpu_count, compute_count;
};

void mig_read(struct mig *mig, const struct card *cards, int count);

/* Between these two nobody else changes anything; an end without a change writes nothing. */
int mig_begin(struct mig *mig, const struct card *cards, int count);
bool mig_end(struct mig *mig, int lock, bool changed);

const struct compute_instance *mig_by_uuid(const struct mig *mig, const char *uuid);
struct gpu_instance *mig_gpu(struct mig *mig, unsigned int card, unsigned int id);
struct compute_instance *mig_compute(struct mig *mig, unsigned int card, unsigned int gpu_instance, unsigned int id);

/* The instance as a card of its own: its name, memory, multiprocessors and books. */
void mig_as_card(const struct mig *mig, const struct compute_instance *instance, struct card *card);

/* Adds; NULL: it does not fit. */
struct gpu_instance *mig_add_gpu(struct mig *mig, const struct card *card, const struct mig_profile *profile,
                                 unsigned int start);
struct compute_instance *mig_add_compute(struct mig *mig, const struct card *card, const struct gpu_instance *in,
                                         const struct compute_profile *profile);
void mig_remove_gpu(struct mig *mig, unsigned int card, unsigned int id);
void mig_remove_compute(struct mig *mig, unsigned int card, unsigned int gpu_instance, unsigned int id);
