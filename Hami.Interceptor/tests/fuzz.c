/* Random calls over all families of memory, by seed. Prints what came of each sequence, so that a bare run and an
 * intercepted one can be compared. With LIMIT (bytes) it also checks, after each call: the driver gave out what a
 * simple recount says, the interceptor wrote down the same, nobody passed the limit, nobody was refused without need.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../fake-driver/node.h"
#include "../library/cuda_abi.h"
#include "../library/region.h"

enum { KEPT_MAX = 48, CONTEXTS = 3 };

static const uint64_t chunk_bytes = UINT64_C(32) << 20;

enum kind { POINTER, POOLED, LEFT_BY_GRAPH, ARRAY, MIPMAPPED, HANDLE, MAPPING, POOL, EXEC };

/* Something that is there until we end it. */
struct kept {
    enum kind kind;
    uint64_t handle;
    uint64_t bytes; /* what it takes of the card by itself */
    uint64_t block; /* of a handle or a mapping: the number of the physical memory */
    uint64_t left;  /* of a graph: what it leaves; 0 = nothing */
    int context;    /* it ends with; -1 = with none */
};

static struct {
    unsigned int seed;
    uint64_t limit_bytes;
    uint64_t former_peak_bytes; /* of whoever ran before us */
    uint64_t unforeseen_bytes;  /* what a pool may grow by, for a moment, though it had as much unused, in pieces */
    bool talks;
    struct kept kept[KEPT_MAX];
    int count;
    CUcontext context[CONTEXTS]; /* the first is the primary one */
    int current;
    CUmemoryPool fixed;
    CUstream stream;               /* that is captured now and then */
    uint64_t heap_bytes[CONTEXTS]; /* beyond the usual */
    uint64_t blocks;
    struct {
        uint64_t number, bytes;
        int references;
    } block[KEPT_MAX];
    uint64_t hash;
    unsigned long step, refusals;
} fuzz;

static const struct ledger *ledger;
static const struct extension *books;
static CUresult noted;

static uint64_t ledger_now(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (ledger->process[i].pid == getpid())
            return ledger->process[i].used_bytes[0];
    return 0;
}

static uint64_t books_now(void)
{
    uint64_t bytes = 0;
    for (unsigned int i = 0; books && i < SLOTS_MAX && i < books->slots_high; i++)
        bytes += books->slots[i].device[0].used_bytes + books->slots[i].device[0].pending_bytes;
    return bytes;
}

static unsigned int chance(unsigned int sides)
{
    return (unsigned int)rand_r(&fuzz.seed) % sides;
}

static uint64_t some_bytes(uint64_t most_bytes)
{
    switch (chance(8)) {
    case 0:
        return 1;
    case 1:
        return most_bytes;
    case 2:
        return (uint64_t)chance(64) << 20;
    default:
        return 1 + ((uint64_t)rand_r(&fuzz.seed) << 16 | chance(65536)) % most_bytes;
    }
}

__attribute__((noreturn, format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("step %lu: ", fuzz.step);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    exit(1);
}

static CUresult note(const char *what, uint64_t bytes, CUresult result, uint64_t made)
{
    const uint64_t words[] = {(uint64_t)result, made, bytes, ledger_now()};
    for (size_t i = 0; i < sizeof words; i++)
        fuzz.hash = (fuzz.hash ^ ((const unsigned char *)words)[i]) * UINT64_C(1099511628211);
    if (fuzz.talks)
        printf("%lu %s %llu -> %d %llx; given %llu\n", fuzz.step, what, (unsigned long long)bytes, result,
               (unsigned long long)made, (unsigned long long)ledger_now());
    return result;
}

/* What the call made is looked at after it. */
#define NOTE(what, bytes, call, made) (noted = (call), note(what, bytes, noted, made))

static void keep(struct kept kept)
{
    if (fuzz.count == KEPT_MAX)
        wrong("too much is kept");
    fuzz.kept[fuzz.count++] = kept;
}

static void forget(int i)
{
    fuzz.kept[i] = fuzz.kept[--fuzz.count];
}

static int any_of(unsigned int kinds)
{
    int found = -1, seen = 0;
    for (int i = 0; i < fuzz.count; i++)
        if (kinds >> fuzz.kept[i].kind & 1 && chance((unsigned int)++seen) == 0)
            found = i;
    return found;
}

#define OF(kind) (1u << (kind))

/* ---- the recount ---- */

static uint64_t reserved_of(uint64_t pool)
{
    uint64_t bytes = 0;
    if (cuMemPoolGetAttribute((CUmemoryPool)(uintptr_t)pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes))
        wrong("a pool says nothing");
    return bytes;
}

static uint64_t recount(void)
{
    uint64_t bytes = reserved_of((uint64_t)(uintptr_t)fuzz.fixed), graphs_bytes = 0;
    cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &graphs_bytes);
    bytes += graphs_bytes;
    for (int i = 0; i < fuzz.count; i++)
        bytes += fuzz.kept[i].kind == POOL ? reserved_of(fuzz.kept[i].handle) : fuzz.kept[i].bytes;
    for (int i = 0; i < CONTEXTS; i++)
        bytes += fuzz.heap_bytes[i];
    for (int i = 0; i < KEPT_MAX; i++)
        bytes += fuzz.block[i].references > 0 ? fuzz.block[i].bytes : 0;
    return bytes;
}

/* What pools gave back of their own accord is written down when they are next looked at. */
static void settle_pools(void)
{
    cuMemPoolTrimTo(fuzz.fixed, SIZE_MAX);
    for (int i = 0; i < fuzz.count; i++)
        if (fuzz.kept[i].kind == POOL)
            cuMemPoolTrimTo((CUmemoryPool)(uintptr_t)fuzz.kept[i].handle, SIZE_MAX);
}

static void check(void)
{
    if (recount() != ledger_now())
        wrong("recounted %llu, the driver says %llu", (unsigned long long)recount(), (unsigned long long)ledger_now());
    if (!books)
        return;
    if (books_now() < ledger_now())
        wrong("written down %llu, given %llu", (unsigned long long)books_now(), (unsigned long long)ledger_now());
    if (books_now() != ledger_now())
        settle_pools();
    if (books_now() != ledger_now())
        wrong("written down %llu, given only %llu", (unsigned long long)books_now(), (unsigned long long)ledger_now());
    if (fuzz.limit_bytes && ledger_now() > fuzz.limit_bytes)
        wrong("given %llu", (unsigned long long)ledger_now());
    if (fuzz.limit_bytes && ledger->peak_bytes[0] > fuzz.limit_bytes + fuzz.unforeseen_bytes &&
        ledger->peak_bytes[0] > fuzz.former_peak_bytes)
        wrong("given %llu at one time", (unsigned long long)ledger->peak_bytes[0]);
}

/* Before it refuses anything the interceptor has pools give back what they can: what is given now is needed. */
static void check_refusal(CUresult result, uint64_t bytes, uint64_t unit)
{
    if (result != CUDA_ERROR_OUT_OF_MEMORY || !fuzz.limit_bytes)
        return;
    fuzz.refusals++;
    if (ledger_now() + (bytes + unit - 1) / unit * unit <= fuzz.limit_bytes)
        wrong("%llu bytes were refused, %llu are given", (unsigned long long)bytes, (unsigned long long)ledger_now());
}

/* ---- calls ---- */

static void allocate(void)
{
    CUdeviceptr pointer = 0;
    uint64_t bytes = some_bytes(16 << 20);
    bool managed = chance(4) == 0;
    CUresult result = managed ? cuMemAllocManaged(&pointer, bytes, 1) : cuMemAlloc_v2(&pointer, bytes);
    note(managed ? "managed" : "alloc", bytes, result, pointer);
    if (result == CUDA_SUCCESS)
        keep((struct kept){POINTER, pointer, bytes, 0, 0, fuzz.current});
    else
        check_refusal(result, bytes, 1);
}

static void allocate_pitch(void)
{
    CUdeviceptr pointer = 0;
    size_t pitch = 0, width = 1 + chance(5000), height = 1 + chance(5000);
    CUresult result = NOTE("pitch", width, cuMemAllocPitch_v2(&pointer, &pitch, width, height, 4), pointer);
    if (result == CUDA_SUCCESS)
        keep((struct kept){POINTER, pointer, pitch * height, 0, 0, fuzz.current});
    else
        check_refusal(result, (width + 511) / 512 * 512 * height, 1);
}

static CUmemoryPool some_pool(void)
{
    int i = any_of(OF(POOL));
    return i < 0 || chance(3) == 0 ? fuzz.fixed : (CUmemoryPool)(uintptr_t)fuzz.kept[i].handle;
}

static void allocate_pooled(void)
{
    CUdeviceptr pointer = 0;
    uint64_t bytes = some_bytes(48 << 20);
    CUresult result;
    if ((bytes + chunk_bytes - 1) / chunk_bytes * chunk_bytes > fuzz.unforeseen_bytes)
        fuzz.unforeseen_bytes = (bytes + chunk_bytes - 1) / chunk_bytes * chunk_bytes;
    switch (chance(4)) {
    case 0:
        result = cuMemAllocAsync(&pointer, bytes, NULL);
        break;
    case 1:
        result = cuMemAllocAsync_ptsz(&pointer, bytes, NULL);
        break;
    case 2:
        result = cuMemAllocFromPoolAsync(&pointer, bytes, some_pool(), NULL);
        break;
    default:
        result = cuMemAllocFromPoolAsync_ptsz(&pointer, bytes, some_pool(), NULL);
    }
    note("pooled", bytes, result, pointer);
    if (result == CUDA_SUCCESS)
        keep((struct kept){POOLED, pointer, 0, 0, 0, -1});
    else
        check_refusal(result, bytes, chunk_bytes);
}

static void release_pointer(void)
{
    int i = any_of(OF(POINTER) | OF(POOLED) | OF(LEFT_BY_GRAPH));
    CUdeviceptr pointer = i < 0 || chance(20) == 0 ? chance(1000) : fuzz.kept[i].handle;
    unsigned int way = chance(3);
    CUresult result = way == 0   ? cuMemFree_v2(pointer)
                      : way == 1 ? cuMemFreeAsync(pointer, NULL)
                                 : cuMemFreeAsync_ptsz(pointer, NULL);
    note("free", way, result, pointer);
    if (result == CUDA_SUCCESS && pointer >= 1000)
        forget(i);
}

static void pools(void)
{
    CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemoryPool pool = some_pool();
    uint64_t bytes = some_bytes(96 << 20);
    int i = any_of(OF(POOL));
    switch (chance(5)) {
    case 0:
        if (note("pool", 0, cuMemPoolCreate(&pool, &props), 0) == CUDA_SUCCESS)
            keep((struct kept){POOL, (uint64_t)(uintptr_t)pool, 0, 0, 0, -1});
        return;
    case 1: /* only an empty one: what it holds after its end nobody can recount */
        if (i >= 0 && any_of(OF(POOLED)) < 0 &&
            note("pool-end", 0, cuMemPoolDestroy((CUmemoryPool)(uintptr_t)fuzz.kept[i].handle), 0) == CUDA_SUCCESS)
            forget(i);
        return;
    case 2:
        note("pool-trim", bytes, cuMemPoolTrimTo(pool, bytes), 0);
        return;
    case 3:
        note("pool-threshold", bytes, cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &bytes), 0);
        return;
    default:
        note("pool-use", 0, cuDeviceSetMemPool(0, pool), 0);
    }
}

/* One channel of a byte, so that rows are simple: tiles of 64 by 8. */
static uint64_t tiles(uint64_t width, uint64_t height)
{
    return (width + 63) / 64 * 64 * (height <= 1 ? 1 : (height + 7) / 8 * 8);
}

static void make_array(void)
{
    CUDA_ARRAY3D_DESCRIPTOR shape = {1 + chance(3000), chance(3000), 0, 0x01, 1, 0};
    unsigned int levels = 1 + chance(4);
    uint64_t bytes = 0;
    if (chance(2)) {
        CUarray array = NULL;
        bool layered = shape.Height > 0 && chance(3) == 0;
        shape.Depth = layered ? 1 + chance(9) : 0;
        shape.Flags = layered ? CUDA_ARRAY3D_LAYERED : 0;
        bytes = (tiles(shape.Width, shape.Height) * (layered ? shape.Depth : 1) + 511) / 512 * 512;
        CUresult result = note("array", bytes, cuArray3DCreate_v2(&array, &shape), 0);
        if (result == CUDA_SUCCESS)
            keep((struct kept){ARRAY, (uint64_t)(uintptr_t)array, bytes, 0, 0, fuzz.current});
        else
            check_refusal(result, bytes, 1);
        return;
    }
    CUmipmappedArray mipmapped = NULL;
    shape.Width += 8; /* four levels there are */
    for (unsigned int level = 0; level < levels; level++)
        bytes += tiles(shape.Width >> level, shape.Height >> level);
    bytes = (bytes + 511) / 512 * 512;
    CUresult result = note("mipmap", bytes, cuMipmappedArrayCreate(&mipmapped, &shape, levels), 0);
    if (result == CUDA_SUCCESS)
        keep((struct kept){MIPMAPPED, (uint64_t)(uintptr_t)mipmapped, bytes, 0, 0, fuzz.current});
    else
        check_refusal(result, bytes, 1);
}

static void end_array(void)
{
    int i = any_of(OF(ARRAY) | OF(MIPMAPPED));
    if (i < 0)
        return;
    bool rightly = chance(10) != 0, mipmapped = (fuzz.kept[i].kind == MIPMAPPED) == rightly;
    CUresult result = mipmapped ? cuMipmappedArrayDestroy((CUmipmappedArray)(uintptr_t)fuzz.kept[i].handle)
                                : cuArrayDestroy((CUarray)(uintptr_t)fuzz.kept[i].handle);
    if (note("array-end", rightly, result, 0) == CUDA_SUCCESS)
        forget(i);
}

static void block_refer(uint64_t number, int references)
{
    for (int i = 0; i < KEPT_MAX; i++)
        if (fuzz.block[i].references > 0 && fuzz.block[i].number == number)
            fuzz.block[i].references += references;
}

static uint64_t block_bytes(uint64_t number)
{
    for (int i = 0; i < KEPT_MAX; i++)
        if (fuzz.block[i].references > 0 && fuzz.block[i].number == number)
            return fuzz.block[i].bytes;
    return 0;
}

static void virtual_memory(void)
{
    CUmemAllocationProp prop = {.type = 1, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemGenericAllocationHandle handle = 0;
    CUdeviceptr address = 0;
    uint64_t bytes = (1 + (uint64_t)chance(10)) * (2 << 20);
    int i = any_of(OF(HANDLE)), m = any_of(OF(MAPPING)), b = 0;
    unsigned int what = chance(5);
    if (what == 0) {
        CUresult result = NOTE("create", bytes, cuMemCreate(&handle, bytes, &prop, 0), handle);
        check_refusal(result, bytes, 1);
        if (result != CUDA_SUCCESS)
            return;
        while (fuzz.block[b].references > 0)
            b++;
        fuzz.block[b].number = ++fuzz.blocks;
        fuzz.block[b].bytes = bytes;
        fuzz.block[b].references = 1;
        keep((struct kept){HANDLE, handle, 0, fuzz.blocks, 0, -1});
    } else if (what == 1 && i >= 0) {
        if (note("release", 0, cuMemRelease(fuzz.kept[i].handle), 0) != CUDA_SUCCESS)
            return;
        block_refer(fuzz.kept[i].block, -1);
        forget(i);
    } else if (what == 2 && i >= 0) {
        bytes = block_bytes(fuzz.kept[i].block);
        NOTE("reserve", bytes, cuMemAddressReserve(&address, bytes, 0, 0, 0), address);
        if (NOTE("map", bytes, cuMemMap(address, bytes, 0, fuzz.kept[i].handle, 0), address) != CUDA_SUCCESS)
            return;
        block_refer(fuzz.kept[i].block, 1);
        keep((struct kept){MAPPING, address, 0, fuzz.kept[i].block, 0, -1});
    } else if (what == 3 && m >= 0) {
        bytes = block_bytes(fuzz.kept[m].block);
        if (note("unmap", bytes, cuMemUnmap(fuzz.kept[m].handle, bytes), 0) != CUDA_SUCCESS)
            return;
        block_refer(fuzz.kept[m].block, -1);
        forget(m);
    } else if (what == 4 && m >= 0) {
        void *inside = (void *)(uintptr_t)(fuzz.kept[m].handle + chance(1000));
        if (NOTE("retain", 0, cuMemRetainAllocationHandle(&handle, inside), handle) != CUDA_SUCCESS)
            return;
        block_refer(fuzz.kept[m].block, 1);
        keep((struct kept){HANDLE, handle, 0, fuzz.kept[m].block, 0, -1});
    }
}

/* A graph of one or two allocations; one may be left to the program. */
static void make_graph(void)
{
    CUstream stream = fuzz.stream;
    CUgraph graph = NULL;
    CUgraphExec exec = NULL;
    CUdeviceptr first = 0, second = 0;
    uint64_t bytes = some_bytes(12 << 20), more_bytes = 1 + chance(4 << 20);
    bool leaves = chance(2), two = chance(2);
    note("capture", 0, cuStreamBeginCapture_v2(stream, 0), 0);
    if (two) {
        NOTE("node", more_bytes, cuMemAllocAsync(&second, more_bytes, stream), second);
        NOTE("node-free", more_bytes, cuMemFreeAsync(second, stream), second);
    }
    NOTE("node", bytes, cuMemAllocAsync(&first, bytes, stream), first);
    if (!leaves && first)
        NOTE("node-free", bytes, cuMemFreeAsync(first, stream), first);
    note("capture-end", 0, cuStreamEndCapture(stream, &graph), 0);
    CUresult result = note("instantiate", bytes, cuGraphInstantiateWithFlags(&exec, graph, chance(3) ? 0 : 2), 0);
    cuGraphDestroy(graph);
    if (result == CUDA_SUCCESS)
        keep((struct kept){EXEC, (uint64_t)(uintptr_t)exec, 0, 0, leaves ? first : 0, -1});
}

static void run_graph(void)
{
    int i = any_of(OF(EXEC));
    if (i < 0)
        return;
    CUgraphExec exec = (CUgraphExec)(uintptr_t)fuzz.kept[i].handle;
    if (chance(6) == 0) {
        if (note("exec-end", 0, cuGraphExecDestroy(exec), 0) == CUDA_SUCCESS)
            forget(i);
        return;
    }
    if (chance(6) == 0) {
        note("upload", 0, cuGraphUpload(exec, NULL), 0);
        return;
    }
    for (int k = 0; k < fuzz.count; k++) /* a limit may refuse what the driver would call wrong */
        if (fuzz.kept[k].kind == LEFT_BY_GRAPH && fuzz.kept[k].handle == fuzz.kept[i].left)
            return;
    CUresult result = chance(2) ? cuGraphLaunch(exec, NULL) : cuGraphLaunch_ptsz(exec, NULL);
    if (note("launch", 0, result, 0) == CUDA_SUCCESS && fuzz.kept[i].left)
        keep((struct kept){LEFT_BY_GRAPH, fuzz.kept[i].left, 0, 0, 0, -1});
}

static void set_heap(void)
{
    uint64_t bytes = (uint64_t)chance(40) << 20;
    CUresult result = note("heap", bytes, cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, bytes), 0);
    uint64_t beyond_bytes = bytes > 8 << 20 ? bytes - (8 << 20) : 0;
    if (result == CUDA_SUCCESS)
        fuzz.heap_bytes[fuzz.current] = beyond_bytes;
    else
        check_refusal(result, beyond_bytes - fuzz.heap_bytes[fuzz.current], 1);
}

static void end_context(int context)
{
    note("context-end", 0, cuCtxDestroy_v2(fuzz.context[context]), 0);
    fuzz.context[context] = NULL;
    fuzz.heap_bytes[context] = 0;
    for (int i = fuzz.count - 1; i >= 0; i--)
        if (fuzz.kept[i].context == context)
            forget(i);
}

static void contexts(void)
{
    int context = (int)chance(CONTEXTS);
    if (context > 0 && fuzz.context[context] && chance(3) == 0)
        end_context(context);
    else if (!fuzz.context[context])
        note("context", 0, cuCtxCreate_v2(&fuzz.context[context], 0, 0), 0);
    fuzz.current = fuzz.context[context] ? context : 0;
    note("current", (uint64_t)fuzz.current, cuCtxSetCurrent(fuzz.context[fuzz.current]), 0);
}

static void ask(void)
{
    size_t free_bytes = 0, total_bytes = 0;
    if (chance(2)) {
        note("synchronise", 0, chance(2) ? cuCtxSynchronize() : cuStreamSynchronize(NULL), 0);
        return;
    }
    CUresult result = cuMemGetInfo_v2(&free_bytes, &total_bytes);
    if (!fuzz.limit_bytes)
        note("info", free_bytes, result, total_bytes);
    else if (total_bytes != fuzz.limit_bytes)
        wrong("the card has %zu bytes", total_bytes);
}

static void play(void)
{
    static void (*const calls[])(void) = {
        allocate,
        allocate,
        allocate_pitch,
        allocate_pooled,
        allocate_pooled,
        allocate_pooled,
        release_pointer,
        release_pointer,
        release_pointer,
        release_pointer,
        pools,
        pools,
        make_array,
        end_array,
        virtual_memory,
        virtual_memory,
        virtual_memory,
        make_graph,
        run_graph,
        run_graph,
        set_heap,
        contexts,
        ask,
    };
    if (fuzz.count > KEPT_MAX - 3)
        release_pointer();
    if (fuzz.count > KEPT_MAX - 3)
        virtual_memory();
    if (fuzz.count > KEPT_MAX - 3)
        end_array();
    if (fuzz.count > KEPT_MAX - 3)
        run_graph();
    if (fuzz.count <= KEPT_MAX - 3)
        calls[chance(sizeof calls / sizeof calls[0])]();
}

/* Everything ends, pools last. */
static void end_all(void)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = fuzz.count - 1; i >= 0; i--) {
            struct kept kept = fuzz.kept[i];
            if ((kept.kind == POOL) != (pass == 1))
                continue;
            CUresult result = CUDA_SUCCESS;
            if (kept.kind == POINTER || kept.kind == POOLED || kept.kind == LEFT_BY_GRAPH)
                result = cuMemFree_v2(kept.handle);
            else if (kept.kind == ARRAY)
                result = cuArrayDestroy((CUarray)(uintptr_t)kept.handle);
            else if (kept.kind == MIPMAPPED)
                result = cuMipmappedArrayDestroy((CUmipmappedArray)(uintptr_t)kept.handle);
            else if (kept.kind == HANDLE)
                result = cuMemRelease(kept.handle);
            else if (kept.kind == MAPPING)
                result = cuMemUnmap(kept.handle, block_bytes(kept.block));
            else if (kept.kind == POOL)
                result = cuMemPoolDestroy((CUmemoryPool)(uintptr_t)kept.handle);
            else
                result = cuGraphExecDestroy((CUgraphExec)(uintptr_t)kept.handle);
            if (note("end", kept.kind, result, 0) != CUDA_SUCCESS)
                wrong("ending gave %d", result);
            if (kept.kind == HANDLE || kept.kind == MAPPING)
                block_refer(kept.block, -1);
            forget(i);
        }
    for (int i = 1; i < CONTEXTS; i++)
        if (fuzz.context[i])
            end_context(i);
    fuzz.current = 0;
    cuCtxSetCurrent(fuzz.context[0]);
    cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 8 << 20);
    fuzz.heap_bytes[0] = 0;
    cuDeviceSetMemPool(0, fuzz.fixed);
    uint64_t nothing = 0;
    cuMemPoolSetAttribute(fuzz.fixed, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &nothing);
    cuMemPoolTrimTo(fuzz.fixed, 0);
    cuDeviceGraphMemTrim(0);
    if (ledger_now() != 0 || books_now() != 0)
        wrong("at the end %llu are given and %llu written down", (unsigned long long)ledger_now(),
              (unsigned long long)books_now());
}

static void sequence(unsigned int seed, unsigned int steps)
{
    fuzz.seed = seed;
    fuzz.hash = UINT64_C(14695981039346656037);
    for (fuzz.step = 0; fuzz.step < steps; fuzz.step++) {
        play();
        check();
    }
    end_all();
    printf("%u %016llx\n", seed, (unsigned long long)fuzz.hash);
}

static const void *look(const char *path, size_t bytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    const void *start = file < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
    if (start == MAP_FAILED)
        wrong("%s is not there", path);
    close(file);
    return start;
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    unsigned int first = (unsigned int)atoi(arguments[1]), sequences = (unsigned int)atoi(arguments[2]);
    unsigned int steps = (unsigned int)atoi(arguments[3]);
    char path[4096];
    fuzz.talks = count > 4;
    const char *limit = getenv("LIMIT"), *cache = getenv("CUDA_DEVICE_MEMORY_SHARED_CACHE");
    fuzz.limit_bytes = limit ? strtoull(limit, NULL, 10) : 0;
    if (cuInit(0) || cuDevicePrimaryCtxRetain(&fuzz.context[0], 0) || cuCtxSetCurrent(fuzz.context[0]) ||
        cuDeviceGetDefaultMemPool(&fuzz.fixed, 0) || cuStreamCreate(&fuzz.stream, 0))
        wrong("no driver");
    snprintf(path, sizeof path, "%s.state", getenv("HAMI_FAKE_DRIVER"));
    ledger = look(path, sizeof *ledger);
    fuzz.former_peak_bytes = ledger->peak_bytes[0];
    CUdeviceptr pointer;
    if (cuMemAlloc_v2(&pointer, 1) == CUDA_SUCCESS) /* now the region is there */
        cuMemFree_v2(pointer);
    if (getenv("BOOKS"))
        books = (const struct extension *)((const char *)look(cache, REGION_BYTES) + EXTENSION_OFFSET);
    for (unsigned int seed = first; seed < first + sequences; seed++)
        sequence(seed, steps);
    if (fuzz.limit_bytes && fuzz.refusals == 0)
        wrong("nothing was ever refused");
    return 0;
}
