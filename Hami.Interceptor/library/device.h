/* Which budget a device draws on. */
#pragma once

#include "cuda_abi.h"
#include "nvml_abi.h"

/* Accounts are numbered in the order in which the cards were allocated: by the position of the card's UUID in the
 * limits file, else in NVIDIA_VISIBLE_DEVICES, else by NVML's order. CUDA's own order may differ (CUDA_VISIBLE_DEVICES,
 * bus order). */
CUresult account_of_cuda(CUdevice device, unsigned int *account);
nvmlReturn_t account_of_nvml(nvmlDevice_t device, unsigned int *account);

/* The 32 bits of a size that a function of CUDA before 3.2 has room for. */
static inline unsigned int size_v1(uint64_t bytes)
{
    return bytes < UINT32_MAX ? (unsigned int)bytes : UINT32_MAX;
}
