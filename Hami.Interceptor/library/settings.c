#define _GNU_SOURCE
#include "settings.h"

#include <string.h>
#include <strings.h>

/* Where the digits end; NULL when there are none, or too many. */
static const char *digits_parse(const char *text, uint64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
            return NULL;
    return at == text ? NULL : at;
}

bool number_parse(const char *text, uint64_t *number)
{
    const char *end = digits_parse(text, number);
    return end && *end == '\0';
}

static unsigned int unit_shift(char unit)
{
    switch (unit) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

bool size_parse(const char *text, uint64_t *bytes)
{
    uint64_t value;
    const char *at = digits_parse(text, &value);
    if (!at)
        return false;
    unsigned int shift = unit_shift(*at);
    if (shift != 0)
        at += at[1] == 'i' ? 2 : 1;
    return *at == '\0' && !__builtin_mul_overflow(value, UINT64_C(1) << shift, bytes);
}

bool is_same_uuid(const char *left, const char *right, size_t right_length)
{
    size_t left_length = strlen(left);
    if (left_length > 4 && right_length > 4 && left[3] == '-' && right[3] == '-') {
        left += 4, left_length -= 4;
        right += 4, right_length -= 4;
    }
    return left_length == right_length && strncasecmp(left, right, left_length) == 0;
}

int settings_card(const struct settings *settings, const char *uuid)
{
    if (!settings->from_file)
        return -1;
    for (unsigned int account = 0; account < settings->card_count; account++)
        if (is_same_uuid(settings->cards[account], uuid, strlen(uuid)))
            return (int)account;
    return ACCOUNT_NOT_GRANTED;
}

void settings_read(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->priority = 1;
    for (unsigned int account = 0; account < DEVICES_MAX; account++) {
        settings->memory_bytes[account] = LIMIT_NONE;
        settings->core_percent[account] = 100;
    }
    if (!limits_file_read(settings))
        environment_read(settings);
    log_level_read(settings);
}
