/* What the limit allows and the card has no room for. */
#pragma once

#include "cuda_abi.h"

/* Where oversubscription is asked for, and the driver's answer was that the card is full: the same bytes as managed
 * memory, which the driver moves between card and host as they are used. Else the driver's answer, unchanged. */
CUresult oversubscribe(CUresult result, CUdeviceptr *pointer, size_t bytes);
CUresult oversubscribe_pitch(CUresult result, CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height,
                             unsigned int element);
