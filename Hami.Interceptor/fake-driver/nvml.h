/* What the pretended libnvidia-ml's files know of each other. */
#pragma once

#include "../library/nvml_abi.h"
#include "node.h"

#define EXPORT __attribute__((visibility("default")))

struct nvmlDevice_st {
    struct card card;
    unsigned int index;
};
