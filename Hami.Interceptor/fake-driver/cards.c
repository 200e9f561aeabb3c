#define _GNU_SOURCE
#include "cards.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mig.h"

/* ---- where the list is ---- */

static char beside_us[PATH_BYTES];

static void find_ourselves(void)
{
    Dl_info here;
    if (dladdr(beside_us, &here) == 0 || !here.dli_fname)
        return;
    const char *slash = strrchr(here.dli_fname, '/');
    if (slash)
        snprintf(beside_us, sizeof beside_us, "%.*s/cards.txt", (int)(slash - here.dli_fname), here.dli_fname);
}

const char *cards_path(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *named = getenv("HAMI_FAKE_DRIVER");
    if (named)
        return named;
    pthread_once(&once, find_ourselves);
    return beside_us;
}

void cards_beside(char path[PATH_BYTES], const char *ending)
{
    snprintf(path, PATH_BYTES, "%s%s", cards_path(), ending);
}

/* ---- what it says ---- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        text[--length] = '\0';
    return text;
}

static const char *value_of(const char *field, const char *name)
{
    size_t length = strlen(name);
    return strncmp(field, name, length) == 0 && field[length] == '=' ? field + length + 1 : NULL;
}

static void field_read(struct card *card, const char *field)
{
    const char *value;
    if ((value = value_of(field, "minor")))
        card->minor = (unsigned int)strtoul(value, NULL, 10);
    else if ((value = value_of(field, "bus")))
        snprintf(card->bus, sizeof card->bus, "%s", value);
    else if ((value = value_of(field, "mig"))) {
        card->has_mig = true;
        card->mig_is_on = strcmp(value, "on") == 0 || strcmp(value, "will-be-off") == 0;
        card->mig_will_be_on = strcmp(value, "on") == 0 || strcmp(value, "will-be-on") == 0;
    } else if ((value = value_of(field, "memory")))
        card->memory_is_unsupported = strcmp(value, "unsupported") == 0;
    else if ((value = value_of(field, "events")))
        card->events_are_unsupported = strcmp(value, "unsupported") == 0;
    else if ((value = value_of(field, "links")))
        snprintf(card->links, sizeof card->links, "%s", value);
    else if ((value = value_of(field, "switch")))
        card->switch_links = (unsigned int)strtoul(value, NULL, 10);
    else if ((value = value_of(field, "path")))
        snprintf(card->path, sizeof card->path, "%s", value);
    else if ((value = value_of(field, "temperature")))
        card->temperature = strtoll(value, NULL, 10);
    else if ((value = value_of(field, "memory-temperature")))
        card->memory_temperature = strtoll(value, NULL, 10);
    else if ((value = value_of(field, "fan")))
        card->fan = strtoll(value, NULL, 10);
    else if ((value = value_of(field, "power")))
        card->power_mw = strtoll(value, NULL, 10);
    else if ((value = value_of(field, "energy")))
        card->energy_mj = strtoll(value, NULL, 10);
    else if ((value = value_of(field, "busy")))
        card->busy = strtoll(value, NULL, 10);
}

static bool card_read(char *line, unsigned int number, struct card *card)
{
    char *field[4], *rest = line;
    line[strcspn(line, "#\r\n")] = '\0';
    for (int i = 0; i < 4; i++) {
        char *text = strsep(&rest, ";");
        if (!text)
            return false;
        field[i] = trimmed(text);
    }
    if (!*field[0])
        return false;
    *card = (struct card){
        .number = number, .minor = number, .temperature = -1, .memory_temperature = -1,
        .fan = -1, .power_mw = -1, .energy_mj = -1, .busy = -1};
    snprintf(card->uuid, sizeof card->uuid, "%s", field[0]);
    snprintf(card->model, sizeof card->model, "%s", field[1]);
    card->memory_bytes = strtoull(field[2], NULL, 10) << 20;
    card->multiprocessors = (unsigned int)strtoul(field[3], NULL, 10);
    snprintf(card->bus, sizeof card->bus, "00000000:%02X:00.0", number + 1);
    snprintf(card->path, sizeof card->path, "cpu0/bridge%u/switch%u/board%u", number, number, number);
    for (char *text; (text = strsep(&rest, ";"));)
        field_read(card, trimmed(text));
    return true;
}

int cards_all(struct card cards[CARDS_MAX])
{
    FILE *file = *cards_path() ? fopen(cards_path(), "re") : NULL;
    if (!file)
        return -1;
    int count = 0;
    char line[2048];
    while (count < CARDS_MAX && fgets(line, sizeof line, file))
        count += card_read(line, (unsigned int)count, &cards[count]);
    fclose(file);
    return count;
}

/* ---- who sees which ---- */

static const char *visible_list(void)
{
    const char *list = getenv("NVIDIA_VISIBLE_DEVICES");
    return list && strcmp(list, "all") != 0 ? list : NULL;
}

bool cards_shows_all(void)
{
    return !visible_list();
}

bool cards_shows(const char *uuid)
{
    const char *list = visible_list();
    if (!list)
        return true;
    while (*list) { /* "none" and "void" name no card */
        size_t length = strcspn(list, ",");
        if (strlen(uuid) == length && strncmp(list, uuid, length) == 0)
            return true;
        list += length;
        list += list[0] == ',';
    }
    return false;
}

static void keep_once(struct card cards[CARDS_MAX], int *kept, const struct card *card)
{
    for (int i = 0; i < *kept; i++)
        if (cards[i].number == card->number)
            return;
    cards[(*kept)++] = *card;
}

int cards_visible(struct card cards[CARDS_MAX])
{
    const char *list = visible_list();
    if (!list)
        return cards_all(cards);
    struct card *all = calloc(CARDS_MAX, sizeof *all);
    int count = all ? cards_all(all) : -1, kept = 0;
    struct mig mig;
    mig_read(&mig, all, count);
    while (*list) {
        char name[UUID_BYTES];
        size_t length = strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        const struct compute_instance *instance = mig_by_uuid(&mig, name);
        for (int i = 0; i < count; i++)
            if (strcmp(all[i].uuid, name) == 0 || (instance && instance->card == all[i].number))
                keep_once(cards, &kept, &all[i]);
        list += length;
        list += list[0] == ',';
    }
    free(all);
    return count < 0 ? -1 : kept;
}

void uuid_bytes(const char *uuid, unsigned char bytes[16])
{
    const char *text = strncmp(uuid, "GPU-", 4) == 0 || strncmp(uuid, "MIG-", 4) == 0 ? uuid + 4 : uuid;
    unsigned int b[16];
    int end = 0;
    int found = sscanf(text, "%2x%2x%2x%2x-%2x%2x-%2x%2x-%2x%2x-%2x%2x%2x%2x%2x%2x%n", &b[0], &b[1], &b[2], &b[3],
                       &b[4], &b[5], &b[6], &b[7], &b[8], &b[9], &b[10], &b[11], &b[12], &b[13], &b[14], &b[15], &end);
    if (found == 16 && text[end] == '\0') {
        for (int i = 0; i < 16; i++)
            bytes[i] = (unsigned char)b[i];
        return;
    }
    uint64_t hash[2] = {UINT64_C(14695981039346656037), UINT64_C(1099511628211)};
    for (const char *at = uuid; *at; at++)
        for (int i = 0; i < 2; i++)
            hash[i] = (hash[i] ^ (unsigned char)*at) * UINT64_C(1099511628211) + (uint64_t)i;
    memcpy(bytes, hash, 16);
}
