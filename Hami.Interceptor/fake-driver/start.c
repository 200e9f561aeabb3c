/* A libcuda.so.1 that pretends: real codes, a real ledger, no card. For tests and the lab. This chapter: its start. */
#define _GNU_SOURCE
#include "cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card_time.h"
#include "mig.h"

enum { DRIVER_CUDA_VERSION = 12080 };

struct driver driver = {.lock = PTHREAD_MUTEX_INITIALIZER};

CUresult check_initialised(void)
{
    return driver.initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult int_out(int *place, int value)
{
    if (!place)
        return CUDA_ERROR_INVALID_VALUE;
    *place = value;
    return CUDA_SUCCESS;
}

unsigned int size_v1(size_t bytes)
{
    return bytes > UINT32_MAX ? UINT32_MAX : (unsigned int)bytes;
}

/* CUDA_VISIBLE_DEVICES: indices or UUIDs (or their beginnings); the list ends at the first that names no card. */
static void narrow_cards(void)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (!visible)
        return;
    struct card kept[CARDS_MAX];
    int count = 0;
    while (*visible && count < CARDS_MAX) {
        char name[96], *end;
        size_t length = strcspn(visible, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, visible);
        long index = strtol(name, &end, 10);
        int found = -1;
        if (end != name && *end == '\0')
            found = index >= 0 && index < driver.count ? (int)index : -1;
        else
            for (int i = 0; i < driver.count && found < 0; i++)
                if (strncmp(driver.cards[i].uuid, name, strlen(name)) == 0)
                    found = i;
        if (found < 0)
            break;
        kept[count++] = driver.cards[found];
        visible += length;
        visible += *visible == ',';
    }
    memcpy(driver.cards, kept, sizeof kept);
    driver.count = count;
}

/* The node's cards, and for one in MIG mode what it is cut into. */
static int find_devices(void)
{
    static struct card all[CARDS_MAX], seen[CARDS_MAX];
    struct mig mig;
    int count = 0, visible = cards_visible(seen);
    mig_read(&mig, all, cards_all(all));
    for (int i = 0; i < visible; i++) {
        if (!mig.is_on[seen[i].number])
            driver.cards[count++] = seen[i];
        for (unsigned int index = 0; mig.is_on[seen[i].number] && index < 8; index++)
            for (int k = 0; k < mig.compute_count && count < CARDS_MAX; k++)
                if (mig.compute[k].card == seen[i].number && mig.compute[k].index == index &&
                    cards_shows(mig.compute[k].uuid))
                    mig_as_card(&mig, &mig.compute[k], &driver.cards[count++]);
    }
    return visible < 0 ? -1 : count;
}

/* A process is on one instance at most (MIG User Guide, "CUDA Device Enumeration"). */
static void keep_one_instance(void)
{
    int kept = 0, instances = 0;
    for (int i = 0; i < driver.count; i++)
        if (!driver.cards[i].is_instance || instances++ == 0)
            driver.cards[kept++] = driver.cards[i];
    driver.count = kept;
}

/* A forked child starts anew. (The real driver refuses to work there at all.) */
static void forget_parent(void)
{
    pthread_mutex_init(&driver.lock, NULL);
    driver.initialised = false;
    memset(driver.primary, 0, sizeof driver.primary);
    current = NULL;
    blocks_forget();
    mappings_forget();
    multicast_forget();
    pools_forget();
    arrays_forget();
    graphs_forget();
    capture_forget();
    card_forget();
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_parent);
}

EXPORT CUresult cuInit(unsigned int flags)
{
    INJECT();
    if (flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = CUDA_SUCCESS;
    pthread_mutex_lock(&driver.lock);
    if (!driver.initialised) {
        driver.count = find_devices();
        if (driver.count > 0)
            narrow_cards();
        keep_one_instance();
        for (int i = 0; i < driver.count; i++)
            driver.primary[i] = (struct CUctx_st){.card = i, .primary = true};
        if (driver.count > 0) {
            node_begin();
            driver.initialised = true;
        } else
            result = CUDA_ERROR_NO_DEVICE;
    }
    pthread_mutex_unlock(&driver.lock);
    return result;
}

EXPORT CUresult cuDriverGetVersion(int *version)
{
    return int_out(version, DRIVER_CUDA_VERSION);
}
