/* Arrays and mipmapped arrays. The driver says how large one is only where it has no memory of its own (deferred
 * mapping), so the size is computed: rows and columns in tiles of 64 bytes by 8 rows, as cards since Fermi lay them
 * out. What a driver may add to that is the backstop's. */
#define _GNU_SOURCE
#include "account.h"
#include "driver.h"
#include "memory.h"

struct element {
    unsigned int bits; /* of a texel, or of a block of 4 by 4 */
    bool per_channel, compressed;
};

/* CUarray_format. The video formats hold several planes: their bits are those of all planes for one pixel. A format
 * younger than this list counts as the largest element there is. */
static struct element element_of(int format)
{
    static const struct {
        unsigned char first, last;
        unsigned char bits;
        bool per_channel, compressed;
    } formats[] = {
        {0x01, 0x01, 8, true, false},   {0x02, 0x02, 16, true, false},  {0x03, 0x03, 32, true, false},
        {0x08, 0x08, 8, true, false},   {0x09, 0x09, 16, true, false},  {0x0a, 0x0a, 32, true, false},
        {0x10, 0x10, 16, true, false},  {0x20, 0x20, 32, true, false}, /* half, float */
        {0xc0, 0xc0, 8, false, false},  {0xc1, 0xc1, 16, false, false}, {0xc2, 0xc2, 32, false, false}, /* UNORM 8 */
        {0xc3, 0xc3, 16, false, false}, {0xc4, 0xc4, 32, false, false}, {0xc5, 0xc5, 64, false, false}, /* 16 */
        {0xc6, 0xc6, 8, false, false},  {0xc7, 0xc7, 16, false, false}, {0xc8, 0xc8, 32, false, false}, /* SNORM 8 */
        {0xc9, 0xc9, 16, false, false}, {0xca, 0xca, 32, false, false}, {0xcb, 0xcb, 64, false, false}, /* 16 */
        {0x91, 0x92, 64, false, true},  {0x93, 0x96, 128, false, true}, {0x97, 0x98, 64, false, true},  /* BC1-4 */
        {0x99, 0x9e, 128, false, true},                                                                 /* BC5-7 */
        {0xb0, 0xb0, 12, false, false}, {0x9f, 0x9f, 24, false, false}, {0xa1, 0xa1, 24, false, false}, /* 4:2:0 */
        {0xa2, 0xa2, 16, false, false}, {0xa3, 0xa4, 32, false, false}, {0xa5, 0xa5, 16, false, false}, /* 4:2:2 */
        {0xa6, 0xa7, 32, false, false}, {0xa8, 0xa9, 32, false, false}, {0xb1, 0xb1, 64, false, false},
        {0xb2, 0xb2, 24, false, false}, {0xb3, 0xb3, 48, false, false}, {0xb4, 0xb4, 24, false, false}, /* 4:4:4 */
        {0xb5, 0xb5, 48, false, false}, {0x50, 0x50, 32, false, false}, {0x51, 0x51, 16, false, false},
        {0x52, 0x52, 32, false, false}, {0x53, 0x53, 12, false, false}, {0x54, 0x54, 24, false, false},
        {0x55, 0x55, 16, false, false}, {0x56, 0x56, 32, false, false}, {0x57, 0x57, 24, false, false},
        {0x58, 0x58, 48, false, false}, {0x59, 0x59, 12, false, false}, {0x5a, 0x5a, 24, false, false},
        {0x5b, 0x5b, 16, false, false}, {0x5c, 0x5c, 32, false, false}, {0x5d, 0x5d, 24, false, false},
        {0x5e, 0x5e, 48, false, false},
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (format >= formats[i].first && format <= formats[i].last)
            return (struct element){formats[i].bits, formats[i].per_channel, formats[i].compressed};
    return (struct element){128, false, false};
}

static uint64_t level_size(uint64_t size, unsigned int level)
{
    size = level < 64 ? size >> level : 0;
    return size ? size : 1;
}

static bool multiply(uint64_t *product, uint64_t factor)
{
    return !__builtin_mul_overflow(*product, factor, product);
}

/* UINT64_MAX when it is beyond all measure. */
static uint64_t level_bytes(const CUDA_ARRAY3D_DESCRIPTOR *shape, const struct element *element, unsigned int level)
{
    bool layered = shape->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
    uint64_t columns = level_size(shape->Width, level), rows = level_size(shape->Height ? shape->Height : 1, level);
    uint64_t depth = shape->Depth ? shape->Depth : 1;
    if (element->compressed) {
        columns = columns / 4 + (columns % 4 != 0);
        rows = rows / 4 + (rows % 4 != 0);
    }
    if (!multiply(&columns, (uint64_t)element->bits * (element->per_channel ? shape->NumChannels : 1)) ||
        columns > UINT64_MAX / 2 || rows > UINT64_MAX / 2)
        return UINT64_MAX;
    uint64_t bytes = (columns / 8 + (columns % 8 != 0) + 63) & ~UINT64_C(63);
    if (rows > 1)
        rows = (rows + 7) & ~UINT64_C(7);
    if (!multiply(&bytes, rows) || !multiply(&bytes, layered ? depth : level_size(depth, level)))
        return UINT64_MAX;
    return bytes;
}

static uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int levels)
{
    struct element element = element_of(shape->Format);
    uint64_t bytes = 0;
    if (shape->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
        return 0; /* its memory is mapped into it later, and charged where that is made */
    for (unsigned int level = 0; level < levels; level++)
        if (__builtin_add_overflow(bytes, level_bytes(shape, &element, level), &bytes))
            return UINT64_MAX;
    return bytes > UINT64_MAX - 511 ? UINT64_MAX : (bytes + 511) & ~UINT64_C(511);
}

/* The driver makes no more levels than there are halvings of the largest side. */
static unsigned int levels_made(const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int asked)
{
    bool layered = shape->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
    uint64_t largest = shape->Width > shape->Height ? shape->Width : shape->Height;
    if (!layered && shape->Depth > largest)
        largest = shape->Depth;
    unsigned int most = 1;
    for (; largest > 1; largest /= 2)
        most++;
    return asked < 1 ? 1 : asked > most ? most : asked;
}

/* ---- hooks ---- */

static CUresult array_keep(const struct charge *charge, CUresult result, const void *handle)
{
    struct allocation former;
    struct allocation entry = {.pointer = (uint64_t)(uintptr_t)handle,
                               .bytes = charge->bytes,
                               .account = charge->account,
                               .owner = charge->context,
                               .serial = atomic_load(&state.context_ends)};
    if (result != CUDA_SUCCESS)
        account_return(charge->account, charge->bytes);
    else if (allocations_put(&state.arrays, &entry, &former))
        account_return(former.account, former.bytes);
    return result;
}

#define CREATE(symbol, full, levels, ...)                                                                              \
    if (!array || !shape)                                                                                              \
        return cuda()->symbol(__VA_ARGS__);                                                                            \
    struct charge charge;                                                                                              \
    CUresult result = charge_open(&charge, array_bytes(full, levels));                                                 \
    if (result != CUDA_SUCCESS)                                                                                        \
        return result;                                                                                                 \
    result = cuda()->symbol(__VA_ARGS__);                                                                              \
    return array_keep(&charge, result, *array)

EXPORT CUresult cuArrayCreate_v2(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *shape)
{
    CREATE(cuArrayCreate_v2,
           (&(CUDA_ARRAY3D_DESCRIPTOR){shape->Width, shape->Height, 0, shape->Format, shape->NumChannels, 0}), 1, array,
           shape);
}

EXPORT CUresult cuArrayCreate(CUarray *array, const CUDA_ARRAY_DESCRIPTOR_v1 *shape)
{
    CREATE(cuArrayCreate,
           (&(CUDA_ARRAY3D_DESCRIPTOR){shape->Width, shape->Height, 0, shape->Format, shape->NumChannels, 0}), 1, array,
           shape);
}

EXPORT CUresult cuArray3DCreate_v2(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *shape)
{
    CREATE(cuArray3DCreate_v2, shape, 1, array, shape);
}

EXPORT CUresult cuArray3DCreate(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR_v1 *shape)
{
    CREATE(cuArray3DCreate,
           (&(CUDA_ARRAY3D_DESCRIPTOR){shape->Width, shape->Height, shape->Depth, shape->Format, shape->NumChannels,
                                       shape->Flags}),
           1, array, shape);
}

EXPORT CUresult cuMipmappedArrayCreate(CUmipmappedArray *array, const CUDA_ARRAY3D_DESCRIPTOR *shape,
                                       unsigned int levels)
{
    CREATE(cuMipmappedArrayCreate, shape, levels_made(shape, levels), array, shape, levels);
}

/* Forgotten before the driver destroys it: afterwards another thread may be given the same handle. */
#define DESTROY(symbol)                                                                                                \
    struct allocation taken, former;                                                                                   \
    bool known = allocations_take(&state.arrays, (uint64_t)(uintptr_t)array, &taken);                                  \
    CUresult result = cuda()->symbol(array);                                                                           \
    if (known && result == CUDA_SUCCESS)                                                                               \
        account_return(taken.account, taken.bytes);                                                                    \
    else if (known && allocations_put(&state.arrays, &taken, &former))                                                 \
        account_return(former.account, former.bytes);                                                                  \
    return result

EXPORT CUresult cuArrayDestroy(CUarray array)
{
    DESTROY(cuArrayDestroy);
}

EXPORT CUresult cuMipmappedArrayDestroy(CUmipmappedArray array)
{
    DESTROY(cuMipmappedArrayDestroy);
}
