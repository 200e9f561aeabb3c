/* Stream capture: what is asked of a captured stream becomes a node of a graph. */
#include "cuda.h"

EXPORT CUresult cuStreamIsCapturing(CUstream stream, int *status)
{
    (void)stream;
    return int_out(status, CU_STREAM_CAPTURE_STATUS_NONE);
}

EXPORT CUresult cuStreamIsCapturing_ptsz(CUstream stream, int *status)
{
    return cuStreamIsCapturing(stream, status);
}
