/* HAMi's names. A text that we cannot understand is said on stderr, each in a line of its own, and never hands out more
 * than was meant. */
#define _GNU_SOURCE
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "library_folder.h"
#include "warning.h"

/* An empty text counts as absent. */
static const char *text_of(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static uint64_t memory_of(const char *name, uint64_t otherwise)
{
    const char *text = text_of(name);
    uint64_t bytes;
    if (!text)
        return otherwise;
    if (!size_parse(text, &bytes)) {
        warn("hami: %s=%.64s is not a size such as 3000m or 2g; no device memory is given.", name, text);
        return 0; /* a typing error must not hand out the whole card */
    }
    return bytes == 0 ? LIMIT_NONE : bytes; /* HAMi: 0 means no limit */
}

/* Percent; 0 stands for a text that is none. HAMi: 0, 100 and more mean no limit. */
static unsigned int cores_of(const char *name, unsigned int otherwise)
{
    const char *text = text_of(name);
    uint64_t percent;
    if (!text)
        return otherwise;
    if (!number_parse(text, &percent)) {
        warn("hami: %s=%.64s is not a number of percent; no device memory is given.", name, text);
        return 0;
    }
    return percent >= 1 && percent <= 100 ? (unsigned int)percent : 100;
}

static void cards_read(struct settings *settings)
{
    char name[64];
    uint64_t memory_bytes = memory_of("CUDA_DEVICE_MEMORY_LIMIT", LIMIT_NONE);
    unsigned int core_percent = cores_of("CUDA_DEVICE_SM_LIMIT", 100);
    for (unsigned int account = 0; account < 64; account++) {
        snprintf(name, sizeof name, "CUDA_DEVICE_MEMORY_LIMIT_%u", account);
        uint64_t card_bytes = memory_of(name, memory_bytes);
        if (account >= DEVICES_MAX) {
            settings->beyond_limited |= (uint64_t)(card_bytes != LIMIT_NONE) << account;
            continue;
        }
        snprintf(name, sizeof name, "CUDA_DEVICE_SM_LIMIT_%u", account);
        unsigned int card_percent = cores_of(name, core_percent);
        settings->memory_bytes[account] = card_percent == 0 ? 0 : card_bytes;
        settings->core_percent[account] = card_percent == 0 ? 1 : card_percent;
    }
}

static bool switch_of(const char *name)
{
    const char *text = text_of(name);
    if (text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0))
        return true;
    if (text && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0)
        warn("hami: %s=%.64s is neither true nor false; it is taken as false.", name, text);
    return false;
}

static enum core_policy core_policy_of(const char *name)
{
    const char *text = text_of(name);
    if (text && strcasecmp(text, "force") == 0)
        return CORES_ALWAYS;
    if (text && strcasecmp(text, "disable") == 0)
        return CORES_NEVER;
    if (text && strcasecmp(text, "default") != 0)
        warn("hami: %s=%.64s is not default, force or disable; it is taken as default.", name, text);
    return CORES_WHEN_SHARED;
}

static int priority_of(const char *name)
{
    const char *text = text_of(name);
    uint64_t number = 1;
    if (text && (!number_parse(text, &number) || number > INT32_MAX)) {
        warn("hami: %s=%.64s is not a number; it is taken as 1, the low priority.", name, text);
        number = 1;
    }
    return (int)number;
}

static bool stand_back_of(const char *name)
{
    const char *text = text_of(name);
    if (text && strcasecmp(text, "driver") == 0)
        return true;
    if (text && strcasecmp(text, "library") != 0)
        warn("hami: %s=%.64s is neither library nor driver; it is taken as library.", name, text);
    return false;
}

/* No limit depends on it: it is heard beside a limits file too. */
void log_level_read(struct settings *settings)
{
    const char *name = "LIBCUDA_LOG_LEVEL", *text = text_of(name);
    uint64_t level = 0;
    if (text && !number_parse(text, &level)) {
        warn("hami: %s=%.64s is not a number from 0 to 4; it is taken as 0.", name, text);
        level = 0;
    }
    settings->tells_grant = level >= 3;
    settings->tells_refusals = level >= 4;
}

/* HAMi-core reads it when NVML starts, too late for limits, and while other threads may read the environment. */
static void override_refuse(void)
{
    if (access("/overrideEnv", F_OK) == 0)
        warn("hami: /overrideEnv is not read; set the variables for the container instead.");
}

void environment_read(struct settings *settings)
{
    char folder[192];
    const char *path = text_of("CUDA_DEVICE_MEMORY_SHARED_CACHE");
    snprintf(settings->region_path, sizeof settings->region_path, "%s", path ? path : "/tmp/cudevshr.cache");
    if (library_folder(folder, sizeof folder))
        snprintf(settings->agent_path, sizeof settings->agent_path, "%.80s/agent/agent.sock", folder);
    settings->core_policy = core_policy_of("GPU_CORE_UTILIZATION_POLICY");
    settings->priority = priority_of("CUDA_TASK_PRIORITY");
    override_refuse();
    if (switch_of("CUDA_DISABLE_CONTROL"))
        return;
    cards_read(settings);
    settings->oversubscribe = switch_of("CUDA_OVERSUBSCRIBE");
    settings->oom_killer = switch_of("ACTIVE_OOM_KILLER");
    settings->stand_back = stand_back_of("HAMI_MEMORY_ENFORCEMENT");
}
