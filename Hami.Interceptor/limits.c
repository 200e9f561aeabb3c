#define _GNU_SOURCE
#include "limits.h"

#include <stdio.h>
#include <stdlib.h>

#include "warning.h"

bool size_parse(const char *text, uint64_t *bytes)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    if (at == text)
        return false;

    uint64_t unit_bytes = 1;
    switch (*at) {
    case 'k':
    case 'K':
        unit_bytes = UINT64_C(1) << 10;
        at++;
        break;
    case 'm':
    case 'M':
        unit_bytes = UINT64_C(1) << 20;
        at++;
        break;
    case 'g':
    case 'G':
        unit_bytes = UINT64_C(1) << 30;
        at++;
        break;
    }
    return *at == '\0' && !__builtin_mul_overflow(value, unit_bytes, bytes);
}

/* The text of NAME_<account>, else of NAME; an empty one counts as absent. */
static const char *setting(const char *name, unsigned int account, char *indexed, size_t length)
{
    snprintf(indexed, length, "%s_%u", name, account);
    const char *text = getenv(indexed);
    if (text && *text)
        return text;
    snprintf(indexed, length, "%s", name);
    text = getenv(name);
    return text && *text ? text : NULL;
}

uint64_t limit_of_memory(unsigned int account)
{
    char name[64];
    const char *text = setting("CUDA_DEVICE_MEMORY_LIMIT", account, name, sizeof name);
    if (!text)
        return LIMIT_NONE;
    uint64_t bytes;
    if (!size_parse(text, &bytes)) {
        warn_once(WARNING_LIMIT, "hami: %s=%.64s is not a size such as 3000m or 2g; no device memory is given.", name,
                  text);
        return 0;
    }
    return bytes == 0 ? LIMIT_NONE : bytes; /* HAMi: 0 means no limit */
}

uint64_t limit_of_cores(unsigned int account)
{
    char name[64];
    const char *text = setting("CUDA_DEVICE_SM_LIMIT", account, name, sizeof name);
    uint64_t percent;
    return text && size_parse(text, &percent) && percent >= 1 && percent <= 100 ? percent : 100;
}
