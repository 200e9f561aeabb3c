#define _GNU_SOURCE
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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

/* Bytes for the account. A text that is no size grants nothing: a typing error must not hand out the whole card. */
static uint64_t memory_of(unsigned int account)
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

static unsigned int cores_of(unsigned int account)
{
    char name[64];
    const char *text = setting("CUDA_DEVICE_SM_LIMIT", account, name, sizeof name);
    uint64_t percent;
    return text && size_parse(text, &percent) && percent >= 1 && percent <= 100 ? (unsigned int)percent : 100;
}

static uint64_t limited_beyond(void)
{
    uint64_t limited = 0;
    for (unsigned int account = DEVICES_MAX; account < 64; account++)
        if (memory_of(account) != LIMIT_NONE)
            limited |= UINT64_C(1) << account;
    return limited;
}

static enum core_policy core_policy_read(void)
{
    const char *text = getenv("GPU_CORE_UTILIZATION_POLICY");
    if (text && strcasecmp(text, "force") == 0)
        return CORES_ALWAYS;
    if (text && strcasecmp(text, "disable") == 0)
        return CORES_NEVER;
    return CORES_WHEN_SHARED;
}

void settings_read(struct settings *settings)
{
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        settings->memory_bytes[account] = memory_of(account);
        settings->core_percent[account] = cores_of(account);
    }
    settings->beyond_limited = limited_beyond();
    settings->core_policy = core_policy_read();
    const char *priority = getenv("CUDA_TASK_PRIORITY");
    settings->priority = priority && *priority ? atoi(priority) : 1;
    const char *path = getenv("CUDA_DEVICE_MEMORY_SHARED_CACHE");
    snprintf(settings->region_path, sizeof settings->region_path, "%s", path && *path ? path : "/tmp/cudevshr.cache");
}
