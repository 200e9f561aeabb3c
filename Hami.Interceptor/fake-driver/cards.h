/* The list of the pretended node's cards, and which of them a container sees. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory and time have a book for each card and, behind those, one for each MIG instance. */
enum { CARDS_MAX = 64, INSTANCES_MAX = 64, BOOKS_MAX = CARDS_MAX + INSTANCES_MAX };

enum { PATH_BYTES = 4096, UUID_BYTES = 96 };

/* A line: uuid;model;memory_mib;sm_count and then any of ;minor=N ;bus=00000000:3B:00.0 ;mig=off|on|will-be-on|
 * will-be-off ;memory=unsupported ;links=<uuid>*<n>,... ;switch=<n> ;path=cpu0/bridge1/switch2/board3 ;temperature=
 * ;memory-temperature= ;fan=<percent> ;power=<mW> ;energy=<mJ> ;busy=<percent> ;events=unsupported */
struct card {
    char uuid[UUID_BYTES];
    char model[UUID_BYTES];
    uint64_t memory_bytes;
    unsigned int multiprocessors;
    unsigned int number; /* of its book; for a card its line in the list */
    unsigned int minor;
    char bus[32];
    bool is_instance; /* a part of a card, as CUDA sees it */
    bool has_mig, mig_is_on, mig_will_be_on;
    bool memory_is_unsupported, events_are_unsupported;
    char links[512], path[96];
    unsigned int switch_links;
    int64_t temperature, memory_temperature, fan, power_mw, energy_mj, busy; /* -1: not said */
};

/* HAMI_FAKE_DRIVER, else cards.txt beside this shared object. */
const char *cards_path(void);

/* The name of a file beside the list. */
void cards_beside(char path[PATH_BYTES], const char *ending);

/* All cards of the node; how many, -1 without a node. */
int cards_all(struct card cards[CARDS_MAX]);

/* Does NVIDIA_VISIBLE_DEVICES name it? Yes to everything where there is no such list. */
bool cards_shows(const char *uuid);
bool cards_shows_all(void);

/* Those NVIDIA_VISIBLE_DEVICES names, or of which it names an instance, in that order; how many, -1 without a node. */
int cards_visible(struct card cards[CARDS_MAX]);

/* The sixteen bytes of "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"; a name of another shape is hashed. */
void uuid_bytes(const char *uuid, unsigned char bytes[16]);
