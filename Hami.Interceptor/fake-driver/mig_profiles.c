/* NVIDIA MIG User Guide, "Supported MIG Profiles", and what nvidia-smi mig -lgip and -lgipp say of these cards. */
#include "mig.h"

#include <string.h>

#define SEVEN                                                                                                          \
    {                                                                                                                  \
        0, 1, 2, 3, 4, 5, 6, -1                                                                                        \
    }
#define FOUR_OF_TWO                                                                                                    \
    {                                                                                                                  \
        0, 2, 4, 6, -1                                                                                                 \
    }
#define THREE_OF_TWO                                                                                                   \
    {                                                                                                                  \
        0, 2, 4, -1                                                                                                    \
    }
#define HALVES                                                                                                         \
    {                                                                                                                  \
        0, 4, -1                                                                                                       \
    }
#define FIRST                                                                                                          \
    {                                                                                                                  \
        0, -1                                                                                                          \
    }

/* number, id, name, slices, most, MiB, multiprocessors, size; copy, decoders, encoders, jpegs, ofas; starts */
static const struct mig_profile a100_40gb[] = {
    {0, 19, "1g.5gb", 1, 7, 4864, 14, 1, 1, 0, 0, 0, 0, SEVEN},
    {7, 20, "1g.5gb+me", 1, 1, 4864, 14, 1, 1, 1, 0, 1, 1, SEVEN},
    {9, 15, "1g.10gb", 1, 4, 9984, 14, 2, 1, 1, 0, 0, 0, FOUR_OF_TWO},
    {1, 14, "2g.10gb", 2, 3, 9984, 28, 2, 2, 1, 0, 0, 0, THREE_OF_TWO},
    {2, 9, "3g.20gb", 3, 2, 20096, 42, 4, 3, 2, 0, 0, 0, HALVES},
    {3, 5, "4g.20gb", 4, 1, 20096, 56, 4, 4, 2, 0, 0, 0, FIRST},
    {4, 0, "7g.40gb", 7, 1, 40448, 98, 8, 7, 5, 0, 1, 1, FIRST},
};

static const struct mig_profile a100_80gb[] = {
    {0, 19, "1g.10gb", 1, 7, 9728, 14, 1, 1, 0, 0, 0, 0, SEVEN},
    {7, 20, "1g.10gb+me", 1, 1, 9728, 14, 1, 1, 1, 0, 1, 1, SEVEN},
    {9, 15, "1g.20gb", 1, 4, 19968, 14, 2, 1, 1, 0, 0, 0, FOUR_OF_TWO},
    {1, 14, "2g.20gb", 2, 3, 19968, 28, 2, 2, 1, 0, 0, 0, THREE_OF_TWO},
    {2, 9, "3g.40gb", 3, 2, 40192, 42, 4, 3, 2, 0, 0, 0, HALVES},
    {3, 5, "4g.40gb", 4, 1, 40192, 56, 4, 4, 2, 0, 0, 0, FIRST},
    {4, 0, "7g.80gb", 7, 1, 80896, 98, 8, 7, 5, 0, 1, 1, FIRST},
};

static const struct mig_profile h100_80gb[] = {
    {0, 19, "1g.10gb", 1, 7, 9984, 16, 1, 1, 1, 0, 1, 0, SEVEN},
    {7, 20, "1g.10gb+me", 1, 1, 9984, 16, 1, 1, 1, 0, 1, 1, SEVEN},
    {9, 15, "1g.20gb", 1, 4, 20096, 26, 2, 1, 1, 0, 1, 0, FOUR_OF_TWO},
    {1, 14, "2g.20gb", 2, 3, 20096, 32, 2, 2, 2, 0, 2, 0, THREE_OF_TWO},
    {2, 9, "3g.40gb", 3, 2, 40448, 60, 4, 3, 3, 0, 3, 0, HALVES},
    {3, 5, "4g.40gb", 4, 1, 40448, 64, 4, 4, 4, 0, 4, 0, FIRST},
    {4, 0, "7g.80gb", 7, 1, 81152, 132, 8, 8, 7, 0, 7, 1, FIRST},
};

static const struct mig_profile a30[] = {
    {0, 14, "1g.6gb", 1, 4, 5952, 14, 1, 1, 0, 0, 0, 0, {0, 1, 2, 3, -1}},
    {7, 21, "1g.6gb+me", 1, 1, 5952, 14, 1, 1, 1, 0, 1, 1, {0, 1, 2, 3, -1}},
    {1, 5, "2g.12gb", 2, 2, 11968, 28, 2, 2, 2, 0, 0, 0, {0, 2, -1}},
    {8, 6, "2g.12gb+me", 2, 1, 11968, 28, 2, 2, 2, 0, 1, 1, {0, 2, -1}},
    {3, 0, "4g.24gb", 4, 1, 24000, 56, 4, 4, 4, 0, 1, 1, FIRST},
};

const struct mig_profile *mig_profiles(const struct card *card, unsigned int *count)
{
#define ANSWER(table)                                                                                                  \
    do {                                                                                                               \
        *count = sizeof table / sizeof table[0];                                                                       \
        return table;                                                                                                  \
    } while (0)
    uint64_t gib = card->memory_bytes >> 30;
    if (strstr(card->model, "A100") || strstr(card->model, "A800")) {
        if (gib > 48)
            ANSWER(a100_80gb);
        ANSWER(a100_40gb);
    }
    if (strstr(card->model, "H100") || strstr(card->model, "H800"))
        ANSWER(h100_80gb);
    if (strstr(card->model, "A30"))
        ANSWER(a30);
    *count = 0;
    return NULL;
#undef ANSWER
}

const struct mig_profile *mig_profile_numbered(const struct card *card, unsigned int number)
{
    unsigned int count;
    const struct mig_profile *all = mig_profiles(card, &count);
    for (unsigned int i = 0; i < count; i++)
        if (all[i].number == number)
            return &all[i];
    return NULL;
}

const struct mig_profile *mig_profile_of_id(const struct card *card, unsigned int id)
{
    unsigned int count;
    const struct mig_profile *all = mig_profiles(card, &count);
    for (unsigned int i = 0; i < count; i++)
        if (all[i].id == id)
            return &all[i];
    return NULL;
}

unsigned int mig_most(const struct card *card)
{
    const struct mig_profile *smallest = mig_profile_numbered(card, 0);
    return smallest ? smallest->most : 0;
}

/* NVML_COMPUTE_INSTANCE_PROFILE_*, which are the driver's ids, too. */
bool mig_compute_profile(const struct card *card, const struct mig_profile *of, unsigned int number,
                         struct compute_profile *profile)
{
    static const unsigned int slices_of[] = {1, 2, 3, 4, 7};
    if (number >= sizeof slices_of / sizeof slices_of[0])
        return false;
    unsigned int slices = slices_of[number];
    if (slices > of->slices || (slices == 3 && of->slices == 4))
        return false;
    const struct mig_profile *one = mig_profile_numbered(card, 0);
    *profile = (struct compute_profile){
        .id = number,
        .slices = slices,
        .most = of->slices / slices,
        .multiprocessors = slices == of->slices ? of->multiprocessors : slices * one->multiprocessors,
    };
    return true;
}
