/* Arrays and mipmapped arrays. Their memory is laid out in tiles of 64 bytes by 8 rows, as on every card since Fermi.
 */
#include "cuda.h"

#include <stdlib.h>

/* Both kinds of handle point to one of these. */
struct array {
    struct array *next;
    CUcontext context;
    uint64_t bytes;
    bool mipmapped;
};

static struct array *arrays;

/* Bits of an element; of a block of 4 by 4 for the compressed formats. */
static unsigned int format_bits(int format, unsigned int channels, bool *compressed)
{
    *compressed = format >= 0x91 && format <= 0x9e;
    switch (format) {
    case 0x01:
    case 0x08:
        return 8 * channels;
    case 0x02:
    case 0x09:
    case 0x10:
        return 16 * channels;
    case 0x03:
    case 0x0a:
    case 0x20:
        return 32 * channels;
    case 0x91: /* BC1, BC4 */
    case 0x92:
    case 0x97:
    case 0x98:
        return 64;
    case 0xc0: /* normalised integers */
    case 0xc6:
        return 8;
    case 0xc1:
    case 0xc7:
    case 0xc3:
    case 0xc9:
        return 16;
    case 0xc2:
    case 0xc8:
    case 0xc4:
    case 0xca:
        return 32;
    case 0xc5:
    case 0xcb:
        return 64;
    case 0xb0: /* NV12 */
        return 12;
    case 0x9f: /* P010 */
        return 24;
    default:
        return *compressed ? 128 : 0;
    }
}

static uint64_t plane_bytes(uint64_t width, uint64_t height, unsigned int bits, bool compressed)
{
    if (compressed) {
        width = (width + 3) / 4;
        height = (height + 3) / 4;
    }
    uint64_t row = ((width * bits + 7) / 8 + 63) & ~UINT64_C(63);
    return height <= 1 ? row : row * ((height + 7) & ~UINT64_C(7));
}

static uint64_t level_size(uint64_t size, unsigned int level)
{
    return size >> level ? size >> level : 1;
}

/* 0: no such array. */
static uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int levels)
{
    bool compressed, layered = shape->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP);
    unsigned int bits = format_bits(shape->Format, shape->NumChannels, &compressed);
    uint64_t height = shape->Height ? shape->Height : 1, depth = shape->Depth ? shape->Depth : 1, bytes = 0;
    if (shape->Width == 0 || shape->Width > 1 << 17 || height > 1 << 17 || depth > 1 << 17)
        return 0;
    for (unsigned int level = 0; level < levels; level++)
        bytes += plane_bytes(level_size(shape->Width, level), level_size(height, level), bits, compressed) *
                 (layered ? depth : level_size(depth, level));
    return (bytes + 511) & ~UINT64_C(511);
}

static CUresult array_create(struct array **created, const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int levels,
                             bool mipmapped)
{
    CUresult result = check_context();
    if (result != CUDA_SUCCESS)
        return result;
    unsigned int channels = shape ? shape->NumChannels : 0;
    if (!created || (channels != 1 && channels != 2 && channels != 4))
        return CUDA_ERROR_INVALID_VALUE;
    uint64_t bytes = array_bytes(shape, levels);
    if (bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (shape->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING))
        bytes = 0;
    struct array *array = malloc(sizeof *array);
    if (!array)
        abort();
    if (bytes && !node_take(&driver.cards[current->card], bytes)) {
        free(array);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    pthread_mutex_lock(&driver.lock);
    *array = (struct array){arrays, current, bytes, mipmapped};
    arrays = array;
    pthread_mutex_unlock(&driver.lock);
    *created = array;
    return CUDA_SUCCESS;
}

static void array_end(struct array **place)
{
    struct array *array = *place;
    *place = array->next;
    if (array->bytes)
        node_give(&driver.cards[array->context->card], array->bytes);
    free(array);
}

static CUresult array_destroy(const void *handle, bool mipmapped)
{
    CUresult result = check_initialised();
    if (result != CUDA_SUCCESS)
        return result;
    result = CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver.lock);
    for (struct array **place = &arrays; *place && result != CUDA_SUCCESS; place = &(*place)->next)
        if (*place == handle && (*place)->mipmapped == mipmapped) {
            array_end(place);
            result = CUDA_SUCCESS;
            break;
        }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

void arrays_remove(CUcontext context)
{
    pthread_mutex_lock(&driver.lock);
    for (struct array **place = &arrays; *place;)
        if ((*place)->context == context)
            array_end(place);
        else
            place = &(*place)->next;
    pthread_mutex_unlock(&driver.lock);
}

void arrays_forget(void)
{
    arrays = NULL;
}

EXPORT CUresult cuArray3DCreate_v2(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *shape)
{
    INJECT();
    return array_create((struct array **)array, shape, 1, false);
}

EXPORT CUresult cuArrayCreate_v2(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *shape)
{
    INJECT();
    if (!shape)
        return array_create((struct array **)array, NULL, 1, false);
    CUDA_ARRAY3D_DESCRIPTOR full = {shape->Width, shape->Height, 0, shape->Format, shape->NumChannels, 0};
    return array_create((struct array **)array, &full, 1, false);
}

EXPORT CUresult cuArray3DCreate(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR_v1 *shape)
{
    INJECT();
    if (!shape)
        return array_create((struct array **)array, NULL, 1, false);
    CUDA_ARRAY3D_DESCRIPTOR full = {shape->Width,  shape->Height,      shape->Depth,
                                    shape->Format, shape->NumChannels, shape->Flags};
    return array_create((struct array **)array, &full, 1, false);
}

EXPORT CUresult cuArrayCreate(CUarray *array, const CUDA_ARRAY_DESCRIPTOR_v1 *shape)
{
    INJECT();
    if (!shape)
        return array_create((struct array **)array, NULL, 1, false);
    CUDA_ARRAY3D_DESCRIPTOR full = {shape->Width, shape->Height, 0, shape->Format, shape->NumChannels, 0};
    return array_create((struct array **)array, &full, 1, false);
}

EXPORT CUresult cuArrayDestroy(CUarray array)
{
    INJECT();
    return array_destroy(array, false);
}

EXPORT CUresult cuMipmappedArrayCreate(CUmipmappedArray *array, const CUDA_ARRAY3D_DESCRIPTOR *shape,
                                       unsigned int levels)
{
    INJECT();
    unsigned int most = 1;
    size_t largest = !shape ? 1 : shape->Width > shape->Height ? shape->Width : shape->Height;
    if (shape && !(shape->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) && shape->Depth > largest)
        largest = shape->Depth;
    for (; largest > 1; largest /= 2)
        most++;
    return array_create((struct array **)array, shape, levels < 1 ? 1 : levels > most ? most : levels, true);
}

EXPORT CUresult cuMipmappedArrayDestroy(CUmipmappedArray array)
{
    INJECT();
    return array_destroy(array, true);
}
