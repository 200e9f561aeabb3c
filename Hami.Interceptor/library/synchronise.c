/* What waits for a stream, an event or a context: there pools give back what they need not keep. Only where something
 * was freed since the last time is that looked at; otherwise this is a jump to the driver. */
#define _GNU_SOURCE
#include "driver.h"
#include "pools.h"

static __attribute__((noinline)) CUresult look(CUresult result)
{
    atomic_store(&state.pools_freed, false);
    pools_settle_all();
    return result;
}

#define WAIT(symbol, parameters, ...)                                                                                  \
    EXPORT CUresult symbol parameters                                                                                  \
    {                                                                                                                  \
        CUresult result = cuda()->symbol(__VA_ARGS__);                                                                 \
        return atomic_load_explicit(&state.pools_freed, memory_order_relaxed) ? look(result) : result;                 \
    }

WAIT(cuCtxSynchronize, (void))
WAIT(cuStreamSynchronize, (CUstream stream), stream)
WAIT(cuStreamSynchronize_ptsz, (CUstream stream), stream)
WAIT(cuEventSynchronize, (CUevent event), event)
