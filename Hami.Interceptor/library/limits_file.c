/* The file `limits` beside the library: what the node agent grants. Where it exists it alone counts; one that is empty,
 * cut short, not understood or not the administrator's grants nothing. The agent mounts it empty and fills it in place
 * before the container starts, so that an empty one means "not granted yet". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "library_folder.h"
#include "settings.h"
#include "warning.h"

enum { FILE_MAX = 16384 };

struct limits {
    struct settings *settings;
    char path[256], folder[192];
    unsigned int line;
    bool began, ended;
};

/* ---- what is said when it is refused ---- */

static __attribute__((format(printf, 2, 3))) bool refuse(const struct limits *limits, const char *format, ...)
{
    char why[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (limits->line == 0)
        warn("hami: %s %s; no device memory is given.", limits->path, why);
    else
        warn("hami: %s, line %u %s; no device memory is given.", limits->path, limits->line, why);
    return false;
}

static void grant_nothing(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->from_file = true;
    settings->priority = 1;
    settings->beyond_limited = ~UINT64_C(0);
    for (unsigned int account = 0; account < DEVICES_MAX; account++)
        settings->core_percent[account] = 100;
}

/* ---- can it be trusted? ---- */

/* A file of the host's root is shown as the overflow user's where a user namespace does not know root. */
static bool is_hidden_owner(uid_t owner)
{
    char text[64] = "";
    int file = open("/proc/sys/kernel/overflowuid", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (length <= 0 || strtoul(text, NULL, 10) != owner || geteuid() == owner)
        return false;

    unsigned int inside = 1, outside = 1, count = 0;
    file = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = '\0';
    bool read_well = sscanf(text, "%u %u %u", &inside, &outside, &count) == 3;
    return read_well && !(inside == 0 && outside == 0 && count == UINT32_MAX);
}

static bool is_trusted(const struct limits *limits, int file)
{
    struct stat now;
    if (syscall(SYS_fstat, file, &now) != 0)
        return refuse(limits, "cannot be looked at (%s)", strerror(errno));
    if (!S_ISREG(now.st_mode))
        return refuse(limits, "is not a regular file");
    if (now.st_uid != 0 && !is_hidden_owner(now.st_uid))
        return refuse(limits, "does not belong to root, but to user %u", (unsigned int)now.st_uid);
    if (now.st_mode & (S_IWGRP | S_IWOTH))
        return refuse(limits, "can be written by others than its owner");
    return true;
}

/* ---- what does it say? ---- */

static bool card_parse(struct limits *limits, char **rest)
{
    struct settings *settings = limits->settings;
    const char *uuid = strtok_r(NULL, " \t", rest), *key, *value;
    uint64_t memory_bytes = LIMIT_NONE, percent = 100;
    if (!uuid || strlen(uuid) >= sizeof settings->cards[0])
        return refuse(limits, "names no card");
    while ((key = strtok_r(NULL, " \t", rest))) {
        value = strtok_r(NULL, " \t", rest);
        if (!value)
            return refuse(limits, "gives no value for \"%.32s\"", key);
        if (strcmp(key, "memory") == 0 && (!size_parse(value, &memory_bytes) || memory_bytes == LIMIT_NONE))
            return refuse(limits, "has \"%.32s\", which is not a size in bytes", value);
        if (strcmp(key, "cores") == 0 && (!number_parse(value, &percent) || percent > 100))
            return refuse(limits, "has \"%.32s\", which is not a number from 0 to 100", value);
    }
    if (memory_bytes == LIMIT_NONE)
        return refuse(limits, "does not say how much memory");
    if (settings_card(settings, uuid) != ACCOUNT_NOT_GRANTED)
        return refuse(limits, "names %.64s again", uuid);
    if (settings->card_count == DEVICES_MAX) {
        warn("hami: %s, line %u is beyond the %d cards a container can have; none of its memory is given.",
             limits->path, limits->line, DEVICES_MAX);
        return true;
    }
    unsigned int account = settings->card_count++;
    snprintf(settings->cards[account], sizeof settings->cards[0], "%s", uuid);
    settings->memory_bytes[account] = memory_bytes;
    settings->core_percent[account] = percent == 0 ? 100 : (unsigned int)percent; /* HAMi: 0 means no limit */
    return true;
}

static bool is_word(const struct limits *limits, const char *value, const char *yes, const char *no, bool *answer)
{
    *answer = strcmp(value, yes) == 0;
    return *answer || strcmp(value, no) == 0 || refuse(limits, "has \"%.32s\", not %s or %s", value, yes, no);
}

static bool policy_parse(struct limits *limits, const char *value)
{
    static const char *const words[] = {
        [CORES_WHEN_SHARED] = "default", [CORES_ALWAYS] = "force", [CORES_NEVER] = "disable"};
    for (unsigned int i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(value, words[i]) == 0) {
            limits->settings->core_policy = (enum core_policy)i;
            return true;
        }
    return refuse(limits, "has \"%.32s\", not default, force or disable", value);
}

static bool path_parse(const struct limits *limits, const char *value, char *path, size_t length)
{
    if (*value != '/' || strlen(value) >= length)
        return refuse(limits, "has \"%.32s\", which is not a path from the root", value);
    snprintf(path, length, "%s", value);
    return true;
}

/* A key we do not know is passed over: what must not be passed over raises the number in the first line. */
static bool key_parse(struct limits *limits, const char *key, char **rest)
{
    struct settings *settings = limits->settings;
    if (strcmp(key, "card") == 0)
        return card_parse(limits, rest);
    static const char *const keys[] = {"policy",        "priority",   "region", "agent",
                                       "oversubscribe", "oom-killer", "memory"};
    unsigned int known = 0;
    while (known < sizeof keys / sizeof keys[0] && strcmp(key, keys[known]) != 0)
        known++;
    if (known == sizeof keys / sizeof keys[0])
        return true;
    const char *value = strtok_r(NULL, " \t", rest);
    uint64_t number;
    if (!value || strtok_r(NULL, " \t", rest))
        return refuse(limits, "does not give \"%s\" one value", key);
    if (strcmp(key, "policy") == 0)
        return policy_parse(limits, value);
    if (strcmp(key, "region") == 0)
        return path_parse(limits, value, settings->region_path, sizeof settings->region_path);
    if (strcmp(key, "agent") == 0)
        return path_parse(limits, value, settings->agent_path, sizeof settings->agent_path);
    if (strcmp(key, "oversubscribe") == 0)
        return is_word(limits, value, "true", "false", &settings->oversubscribe);
    if (strcmp(key, "oom-killer") == 0)
        return is_word(limits, value, "true", "false", &settings->oom_killer);
    if (strcmp(key, "memory") == 0)
        return is_word(limits, value, "driver", "library", &settings->stand_back);
    if (!number_parse(value, &number) || number > INT32_MAX)
        return refuse(limits, "has \"%.32s\", which is not a number", value);
    settings->priority = (int)number;
    return true;
}

static bool line_parse(struct limits *limits, char *line)
{
    char *rest;
    line[strcspn(line, "#\r")] = '\0';
    const char *key = strtok_r(line, " \t", &rest);
    if (!key)
        return true;
    if (limits->ended)
        return refuse(limits, "comes after the end");
    if (!limits->began) {
        const char *version = strtok_r(NULL, " \t", &rest);
        limits->began = strcmp(key, "hami-limits") == 0 && version && strcmp(version, "1") == 0;
        return limits->began || refuse(limits, "is not \"hami-limits 1\", the only version this library knows");
    }
    limits->ended = strcmp(key, "end") == 0;
    return limits->ended || key_parse(limits, key, &rest);
}

static bool text_parse(struct limits *limits, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        limits->line++;
        if (!line_parse(limits, line))
            return false;
    }
    limits->line = 0;
    if (!limits->began)
        return refuse(limits, "is empty: nothing has been granted yet");
    return limits->ended || refuse(limits, "is cut short: its last line is not \"end\"");
}

static bool contents_read(struct limits *limits, int file)
{
    char text[FILE_MAX];
    size_t filled = 0;
    ssize_t got;
    while (filled < sizeof text - 1 && (got = read(file, text + filled, sizeof text - 1 - filled)) != 0)
        if (got > 0)
            filled += (size_t)got;
        else if (errno != EINTR)
            return refuse(limits, "cannot be read (%s)", strerror(errno));
    text[filled] = '\0';
    if (filled == sizeof text - 1)
        return refuse(limits, "is longer than any we know");
    if (strlen(text) != filled)
        return refuse(limits, "has a zero byte in it");
    return text_parse(limits, text);
}

/* ---- where is it? ---- */

/* A copy of the library elsewhere, preloaded before the one the node agent mounted, is held to the same grant. */
static const char *const usual_folder = "/usr/local/vgpu";

static int limits_open(struct limits *limits)
{
    for (int usual = 0; usual < 2; usual++) {
        if (usual)
            snprintf(limits->folder, sizeof limits->folder, "%s", usual_folder);
        else if (!library_folder(limits->folder, sizeof limits->folder))
            continue;
        snprintf(limits->path, sizeof limits->path, "%s/limits", limits->folder);
        int file = open(limits->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (file >= 0 || (errno != ENOENT && errno != ENOTDIR))
            return file;
    }
    return -1;
}

bool limits_file_read(struct settings *settings)
{
    struct limits limits = {.settings = settings};
    int file = limits_open(&limits);
    if (file < 0 && (errno == ENOENT || errno == ENOTDIR))
        return false;
    grant_nothing(settings);
    snprintf(settings->region_path, sizeof settings->region_path, "%s/region", limits.folder);
    snprintf(settings->agent_path, sizeof settings->agent_path, "%.80s/agent/agent.sock", limits.folder);
    bool good = file < 0 ? refuse(&limits, "cannot be opened (%s)", errno == ELOOP ? "it is a link" : strerror(errno))
                         : is_trusted(&limits, file) && contents_read(&limits, file);
    if (file >= 0)
        close(file);
    if (!good)
        grant_nothing(settings);
    return true;
}
