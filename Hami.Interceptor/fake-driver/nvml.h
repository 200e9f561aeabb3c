/* What the pretended libnvidia-ml's files know of each other. */
#pragma once

#include "../library/nvml_abi.h"
#include "mig.h"
#include "node.h"
#include "nvml_agent_abi.h"

#define EXPORT __attribute__((visibility("default")))

/* A card, or one of its MIG devices, which is looked up at every call: it may be gone. */
struct nvmlDevice_st {
    struct card card;
    unsigned int index;
    struct nvmlDevice_st *parent; /* of a MIG device */
    unsigned int gpu_instance, compute_instance;
    struct nvmlDevice_st *next; /* of all MIG devices that were ever asked for */
};

/* What every call begins with: it may be made to fail, by hand, by a driver that is gone, by a wrong question. */
#define ENTER(condition)                                                                                               \
    do {                                                                                                               \
        nvmlReturn_t refused = nvml_enter(__func__, condition);                                                        \
        if (refused != NVML_SUCCESS)                                                                                   \
            return refused;                                                                                            \
    } while (0)
nvmlReturn_t nvml_enter(const char *symbol, bool is_right);
bool driver_is_lost(void);

/* What the calls about a card, not about a part of it, begin with. */
#define ENTER_CARD(condition)                                                                                          \
    do {                                                                                                               \
        ENTER(condition);                                                                                              \
        if (device->parent)                                                                                            \
            return NVML_ERROR_NOT_SUPPORTED;                                                                           \
    } while (0)

/* The cards of the node, seen or not: what MIG's file speaks of. */
const struct card *node_all(int *count);

/* The card we see under this number, or by its name; NULL. */
nvmlDevice_t device_numbered(unsigned int number);
nvmlDevice_t device_named(const char *uuid);

/* The handle of an instance. */
nvmlDevice_t device_of_instance(nvmlDevice_t parent, unsigned int gpu_instance, unsigned int compute_instance);

/* What is on the card now; a MIG device's own entry (NULL: it is gone). */
void mig_look(struct mig *mig);
const struct compute_instance *mig_device(const struct mig *mig, nvmlDevice_t device);

/* Bytes in use; for a card in MIG mode those of all its instances. */
uint64_t device_used(nvmlDevice_t device);
bool instance_is_busy(const struct mig *mig, const struct gpu_instance *gpu);

nvmlReturn_t text_out(char *out, unsigned int length, const char *text);
