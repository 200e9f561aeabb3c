/* The pretended NVML, as a node's agent asks it. Hami.Tests/Plumbing/ReadingCardsThroughNvml.cs holds the same sizes.
 */
#define _GNU_SOURCE
#include "testing.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fake-driver/nvml_agent_abi.h"

TEST(structures_of_nvml_have_the_sizes_of_nvidias_header)
{
    CHECK_EQUAL(sizeof(nvmlPciInfo_t), 68);
    CHECK_EQUAL(sizeof(nvmlMemory_t), 24);
    CHECK_EQUAL(sizeof(nvmlUtilization_t), 8);
    CHECK_EQUAL(sizeof(nvmlProcessInfo_t), 24);
    CHECK_EQUAL(sizeof(nvmlProcessUtilizationSample_t), 32);
    CHECK_EQUAL(sizeof(nvmlEventData_t), 32);
    CHECK_EQUAL(sizeof(nvmlDeviceAttributes_t), 40);
    CHECK_EQUAL(sizeof(nvmlGpuInstancePlacement_t), 8);
    CHECK_EQUAL(sizeof(nvmlGpuInstanceProfileInfo_t), 48);
    CHECK_EQUAL(sizeof(nvmlGpuInstanceInfo_t), 24);
    CHECK_EQUAL(sizeof(nvmlComputeInstanceProfileInfo_t), 36);
    CHECK_EQUAL(sizeof(nvmlComputeInstanceInfo_t), 32);
}
