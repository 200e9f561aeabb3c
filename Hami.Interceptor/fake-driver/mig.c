#define _GNU_SOURCE
#include "mig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int card_named(const struct mig *mig, const char *uuid)
{
    for (int i = 0; i < mig->card_count; i++)
        if (strcmp(mig->cards[i].uuid, uuid) == 0)
            return (int)mig->cards[i].number;
    return -1;
}

static const struct card *card_numbered(const struct mig *mig, unsigned int number)
{
    for (int i = 0; i < mig->card_count; i++)
        if (mig->cards[i].number == number)
            return &mig->cards[i];
    return NULL;
}

/* ---- the file: mode <card> <is on> <will be on>; gi <card> <id> <profile> <start>:<size> <book>;
 *      ci <card> <gi> <id> <profile> <start>:<size> <index> <uuid> ---- */

static void line_read(struct mig *mig, const char *line)
{
    char uuid[UUID_BYTES];
    unsigned int is_on, will_be_on;
    struct gpu_instance gpu;
    struct compute_instance compute;
    if (sscanf(line, "mode %95s %u %u", uuid, &is_on, &will_be_on) == 3 && card_named(mig, uuid) >= 0) {
        mig->is_on[card_named(mig, uuid)] = is_on;
        mig->will_be_on[card_named(mig, uuid)] = will_be_on;
    } else if (sscanf(line, "gi %95s %u %u %u:%u %u", uuid, &gpu.id, &gpu.profile_id, &gpu.start, &gpu.size,
                      &gpu.book) == 6 &&
               card_named(mig, uuid) >= 0 && mig->gpu_count < INSTANCES_MAX && gpu.book < BOOKS_MAX) {
        gpu.card = (unsigned int)card_named(mig, uuid);
        mig->gpu[mig->gpu_count++] = gpu;
    } else if (sscanf(line, "ci %95s %u %u %u %u:%u %u %95s", uuid, &compute.gpu_instance, &compute.id,
                      &compute.profile_id, &compute.start, &compute.size, &compute.index, compute.uuid) == 8 &&
               card_named(mig, uuid) >= 0 && mig->compute_count < INSTANCES_MAX) {
        compute.card = (unsigned int)card_named(mig, uuid);
        mig->compute[mig->compute_count++] = compute;
    }
}

void mig_read(struct mig *mig, const struct card *cards, int count)
{
    char path[PATH_BYTES], line[512];
    memset(mig, 0, sizeof *mig);
    mig->cards = cards;
    mig->card_count = count;
    for (int i = 0; i < count; i++) {
        mig->is_on[cards[i].number] = cards[i].mig_is_on;
        mig->will_be_on[cards[i].number] = cards[i].mig_will_be_on;
    }
    cards_beside(path, ".mig");
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        line_read(mig, line);
    if (file)
        fclose(file);
}

static bool write_all(const struct mig *mig)
{
    char path[PATH_BYTES], beside[PATH_BYTES];
    cards_beside(path, ".mig");
    cards_beside(beside, ".mig.next");
    FILE *file = fopen(beside, "we");
    if (!file)
        return false;
    for (int i = 0; i < mig->card_count; i++) {
        const struct card *card = &mig->cards[i];
        if (mig->is_on[card->number] != card->mig_is_on || mig->will_be_on[card->number] != card->mig_will_be_on)
            fprintf(file, "mode %s %d %d\n", card->uuid, mig->is_on[card->number], mig->will_be_on[card->number]);
    }
    for (int i = 0; i < mig->gpu_count; i++) {
        const struct gpu_instance *gpu = &mig->gpu[i];
        fprintf(file, "gi %s %u %u %u:%u %u\n", card_numbered(mig, gpu->card)->uuid, gpu->id, gpu->profile_id,
                gpu->start, gpu->size, gpu->book);
    }
    for (int i = 0; i < mig->compute_count; i++) {
        const struct compute_instance *compute = &mig->compute[i];
        fprintf(file, "ci %s %u %u %u %u:%u %u %s\n", card_numbered(mig, compute->card)->uuid, compute->gpu_instance,
                compute->id, compute->profile_id, compute->start, compute->size, compute->index, compute->uuid);
    }
    return fclose(file) == 0 && rename(beside, path) == 0;
}

int mig_begin(struct mig *mig, const struct card *cards, int count)
{
    char path[PATH_BYTES];
    cards_beside(path, ".mig.lock");
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666); /* of this opening alone: threads wait, too */
    while (lock >= 0 && flock(lock, LOCK_EX) != 0 && errno == EINTR)
        ;
    mig_read(mig, cards, count);
    return lock;
}

bool mig_end(struct mig *mig, int lock, bool changed)
{
    bool written = !changed || write_all(mig);
    if (lock >= 0)
        close(lock);
    return written;
}

/* ---- what is there ---- */

const struct compute_instance *mig_by_uuid(const struct mig *mig, const char *uuid)
{
    for (int i = 0; i < mig->compute_count; i++)
        if (strcmp(mig->compute[i].uuid, uuid) == 0)
            return &mig->compute[i];
    return NULL;
}

struct gpu_instance *mig_gpu(struct mig *mig, unsigned int card, unsigned int id)
{
    for (int i = 0; i < mig->gpu_count; i++)
        if (mig->gpu[i].card == card && mig->gpu[i].id == id)
            return &mig->gpu[i];
    return NULL;
}

struct compute_instance *mig_compute(struct mig *mig, unsigned int card, unsigned int gpu_instance, unsigned int id)
{
    for (int i = 0; i < mig->compute_count; i++)
        if (mig->compute[i].card == card && mig->compute[i].gpu_instance == gpu_instance && mig->compute[i].id == id)
            return &mig->compute[i];
    return NULL;
}

void mig_as_card(const struct mig *mig, const struct compute_instance *instance, struct card *card)
{
    const struct card *parent = card_numbered(mig, instance->card);
    const struct gpu_instance *gpu = mig_gpu((struct mig *)mig, instance->card, instance->gpu_instance);
    const struct mig_profile *profile = gpu ? mig_profile_of_id(parent, gpu->profile_id) : NULL;
    struct compute_profile compute;
    *card = *parent;
    card->is_instance = true;
    snprintf(card->uuid, sizeof card->uuid, "%s", instance->uuid);
    if (!profile || !mig_compute_profile(parent, profile, instance->profile_id, &compute))
        return;
    char part[16] = "";
    if (compute.slices != profile->slices)
        snprintf(part, sizeof part, "%uc.", compute.slices);
    snprintf(card->model, sizeof card->model, "%.60s MIG %s%s", parent->model, part, profile->name);
    card->memory_bytes = (uint64_t)profile->memory_mib << 20;
    card->multiprocessors = compute.multiprocessors;
    card->number = gpu->book;
}

/* ---- cutting ---- */

/* The driver numbers the places of a size like a tree, on cards of eight slices the right half first. */
static unsigned int instance_id(unsigned int slices_of_card, unsigned int start, unsigned int size)
{
    unsigned int first = 0;
    for (unsigned int larger = slices_of_card; larger > size; larger /= 2)
        first = 2 * first + 1;
    unsigned int turned = slices_of_card == 8 && size < 8 ? (start + 4) % 8 : start;
    return first + turned / size;
}

static bool book_is_free(const struct mig *mig, unsigned int book)
{
    for (int i = 0; i < mig->gpu_count; i++)
        if (mig->gpu[i].book == book)
            return false;
    return true;
}

struct gpu_instance *mig_add_gpu(struct mig *mig, const struct card *card, const struct mig_profile *profile,
                                 unsigned int start)
{
    unsigned int alike = 0, slices = profile->slices, book = CARDS_MAX;
    const unsigned int slices_of_card = mig_most(card) == 4 ? 4 : 8;
    for (int i = 0; i < mig->gpu_count; i++) {
        const struct gpu_instance *other = &mig->gpu[i];
        if (other->card != card->number)
            continue;
        if (start < other->start + other->size && other->start < start + profile->size)
            return NULL;
        alike += other->profile_id == profile->id;
        slices += mig_profile_of_id(card, other->profile_id)->slices;
    }
    while (book < BOOKS_MAX && !book_is_free(mig, book))
        book++;
    if (alike >= profile->most || slices > mig_most(card) || book == BOOKS_MAX || mig->gpu_count == INSTANCES_MAX)
        return NULL;
    mig->gpu[mig->gpu_count] = (struct gpu_instance){
        card->number, instance_id(slices_of_card, start, profile->size), profile->id, start, profile->size, book};
    return &mig->gpu[mig->gpu_count++];
}

/* The same instance of the same card has the same name, whoever makes it again. */
static void name_instance(char uuid[UUID_BYTES], const struct card *card, unsigned int gpu_instance, unsigned int id,
                          unsigned int start)
{
    char text[2 * UUID_BYTES];
    unsigned char b[16];
    snprintf(text, sizeof text, "%s/%u/%u/%u", card->uuid, gpu_instance, id, start);
    uuid_bytes(text, b);
    snprintf(uuid, UUID_BYTES, "MIG-%02x%02x%02x%02x-%02x%02x-5%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6] & 0xf, b[7], (b[8] & 0x3f) | 0x80, b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

struct compute_instance *mig_add_compute(struct mig *mig, const struct card *card, const struct gpu_instance *in,
                                         const struct compute_profile *profile)
{
    bool taken[8] = {false}, ids[8] = {false}, indices[8] = {false};
    unsigned int start = 0, id = 0, index = 0, all = mig_profile_of_id(card, in->profile_id)->slices;
    for (int i = 0; i < mig->compute_count; i++) {
        const struct compute_instance *other = &mig->compute[i];
        if (other->card != card->number)
            continue;
        indices[other->index & 7] = true;
        if (other->gpu_instance != in->id)
            continue;
        ids[other->id & 7] = true;
        for (unsigned int slice = 0; slice < other->size && other->start + slice < 8; slice++)
            taken[other->start + slice] = true;
    }
    for (unsigned int slice = 0; start + profile->slices <= all && slice < profile->slices;)
        if (taken[start + slice]) {
            start += slice + 1;
            slice = 0;
        } else
            slice++;
    while (id < 8 && ids[id])
        id++;
    while (index < 8 && indices[index])
        index++;
    if (start + profile->slices > all || mig->compute_count == INSTANCES_MAX || id == 8 || index == 8)
        return NULL;
    struct compute_instance *made = &mig->compute[mig->compute_count++];
    *made = (struct compute_instance){card->number, in->id, id, profile->id, start, profile->slices, index, ""};
    name_instance(made->uuid, card, in->id, id, in->start);
    return made;
}

void mig_remove_gpu(struct mig *mig, unsigned int card, unsigned int id)
{
    struct gpu_instance *gpu = mig_gpu(mig, card, id);
    if (gpu)
        *gpu = mig->gpu[--mig->gpu_count];
}

void mig_remove_compute(struct mig *mig, unsigned int card, unsigned int gpu_instance, unsigned int id)
{
    struct compute_instance *compute = mig_compute(mig, card, gpu_instance, id);
    if (compute)
        *compute = mig->compute[--mig->compute_count];
}
