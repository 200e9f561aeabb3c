/* Chapter "Device Queries" of NVML: what a card is, and where it sits. */
#define _GNU_SOURCE
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What MIG's file says of this device, as a card; false: it is gone. */
static bool as_card(nvmlDevice_t device, struct card *card)
{
    struct mig mig;
    if (!device->parent) {
        *card = device->card;
        return true;
    }
    mig_look(&mig);
    const struct compute_instance *instance = mig_device(&mig, device);
    if (instance)
        mig_as_card(&mig, instance, card);
    return instance != NULL;
}

uint64_t device_used(nvmlDevice_t device)
{
    struct mig mig;
    struct card card;
    if (device->parent)
        return as_card(device, &card) ? node_used(&card) : 0;
    uint64_t used = node_used(&device->card);
    mig_look(&mig);
    for (int i = 0; i < mig.gpu_count; i++)
        if (mig.gpu[i].card == device->card.number) {
            card = (struct card){.number = mig.gpu[i].book};
            used += node_used(&card);
        }
    return used;
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    ENTER(device);
    struct card card;
    return as_card(device, &card) ? text_out(name, length, card.model) : NVML_ERROR_INVALID_ARGUMENT;
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    ENTER(device);
    struct card card;
    return as_card(device, &card) ? text_out(uuid, length, card.uuid) : NVML_ERROR_INVALID_ARGUMENT;
}

EXPORT nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index)
{
    ENTER(device && index);
    struct mig mig;
    if (!device->parent) {
        *index = device->index;
        return NVML_SUCCESS;
    }
    mig_look(&mig);
    const struct compute_instance *instance = mig_device(&mig, device);
    if (!instance)
        return NVML_ERROR_INVALID_ARGUMENT;
    *index = instance->index;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
    ENTER_CARD(device && minor);
    *minor = device->card.minor;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    ENTER(device && memory);
    struct card card;
    if (!as_card(device, &card))
        return NVML_ERROR_INVALID_ARGUMENT;
    if (card.memory_is_unsupported)
        return NVML_ERROR_NOT_SUPPORTED;
    memory->total = card.memory_bytes;
    memory->used = device_used(device);
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    ENTER(device && memory);
    if (memory->version != NVML_MEMORY_V2)
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    struct card card;
    if (!as_card(device, &card))
        return NVML_ERROR_INVALID_ARGUMENT;
    if (card.memory_is_unsupported)
        return NVML_ERROR_NOT_SUPPORTED;
    memory->total = card.memory_bytes;
    memory->reserved = 0;
    memory->used = device_used(device);
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

/* ---- kinds of cards ---- */

struct kind {
    const char *model;
    int major, minor;
    unsigned int pci_device;
};

static const struct kind *kind_of(const struct card *card)
{
    static const struct kind kinds[] = {
        {"A100", 8, 0, 0x20b010de}, {"A800", 8, 0, 0x20f310de},  {"A30", 8, 0, 0x20b710de},  {"H100", 9, 0, 0x233010de},
        {"H800", 9, 0, 0x232410de}, {"H200", 9, 0, 0x233510de},  {"V100", 7, 0, 0x1db110de}, {"T4", 7, 5, 0x1eb810de},
        {"L40", 8, 9, 0x26b510de},  {"L4", 8, 9, 0x27b810de},    {"A40", 8, 6, 0x223510de},  {"A10", 8, 6, 0x223610de},
        {"P100", 6, 0, 0x15f810de}, {"B200", 10, 0, 0x290110de},
    };
    static const struct kind other = {"", 8, 0, 0x20b010de};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strstr(card->model, kinds[i].model))
            return &kinds[i];
    return &other;
}

EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    ENTER(device && major && minor);
    *major = kind_of(&device->card)->major;
    *minor = kind_of(&device->card)->minor;
    return NVML_SUCCESS;
}

/* ---- PCIe ---- */

static void pci_out(const char *bus_id, unsigned int device, nvmlPciInfo_t *pci)
{
    *pci = (nvmlPciInfo_t){.pciDeviceId = device};
    sscanf(bus_id, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff, pci->bus & 0xff,
             pci->device & 0x1f);
    snprintf(pci->busId, sizeof pci->busId, "%s", bus_id);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    ENTER_CARD(device && pci);
    pci_out(device->card.bus, kind_of(&device->card)->pci_device, pci);
    return NVML_SUCCESS;
}

/* By the last step that both have in common; a switch may have switches below it. */
EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device, nvmlDevice_t other,
                                                        nvmlGpuTopologyLevel_t *level)
{
    ENTER_CARD(device && other && level);
    if (other->parent)
        return NVML_ERROR_NOT_SUPPORTED;
    const char *one = device->card.path, *two = other->card.path, *common = "";
    for (;;) {
        size_t length = strcspn(one, "/");
        if (length == 0 || length != strcspn(two, "/") || strncmp(one, two, length) != 0)
            break;
        common = one;
        one += length + (one[length] == '/');
        two += length + (two[length] == '/');
    }
    bool below = strstr(one, "switch") || strstr(two, "switch");
    *level = device == other || strncmp(common, "board", 5) == 0 ? NVML_TOPOLOGY_INTERNAL
             : strncmp(common, "switch", 6) == 0 ? (below ? NVML_TOPOLOGY_MULTIPLE : NVML_TOPOLOGY_SINGLE)
             : strncmp(common, "bridge", 6) == 0 ? NVML_TOPOLOGY_HOSTBRIDGE
             : strncmp(common, "cpu", 3) == 0    ? NVML_TOPOLOGY_NODE
                                                 : NVML_TOPOLOGY_SYSTEM;
    return NVML_SUCCESS;
}

/* ---- NVLink: first the links to cards, in the order of the list, then those to a switch ---- */

/* What is at the end of the link: a card's name, "" for a switch; false: there is no such link. */
static bool link_end(const struct card *card, unsigned int link, char uuid[UUID_BYTES])
{
    const char *list = card->links;
    while (*list) {
        size_t length = strcspn(list, ",");
        const char *times = memchr(list, '*', length);
        unsigned int count = times ? (unsigned int)strtoul(times + 1, NULL, 10) : 1;
        if (link < count) {
            snprintf(uuid, UUID_BYTES, "%.*s", (int)(times ? (size_t)(times - list) : length), list);
            return true;
        }
        link -= count;
        list += length;
        list += *list == ',';
    }
    *uuid = '\0';
    return link < card->switch_links;
}

static nvmlReturn_t link_check(nvmlDevice_t device, unsigned int link, char uuid[UUID_BYTES])
{
    if (!*device->card.links && device->card.switch_links == 0)
        return NVML_ERROR_NOT_SUPPORTED;
    return link < NVML_NVLINK_MAX_LINKS && link_end(&device->card, link, uuid) ? NVML_SUCCESS
                                                                               : NVML_ERROR_INVALID_ARGUMENT;
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, unsigned int *is_active)
{
    char uuid[UUID_BYTES];
    ENTER_CARD(device && is_active);
    nvmlReturn_t result = link_check(device, link, uuid);
    if (result == NVML_SUCCESS)
        *is_active = 1;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    char uuid[UUID_BYTES];
    ENTER_CARD(device && pci);
    nvmlReturn_t result = link_check(device, link, uuid);
    if (result != NVML_SUCCESS)
        return result;
    int count;
    const struct card *all = node_all(&count);
    pci_out("00000000:C0:00.0", 0x1af110de, pci); /* a switch, or a card of another node */
    for (int i = 0; i < count; i++)
        if (strcmp(all[i].uuid, uuid) == 0)
            pci_out(all[i].bus, kind_of(&all[i])->pci_device, pci);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link,
                                                        nvmlIntNvLinkDeviceType_t *type)
{
    char uuid[UUID_BYTES];
    ENTER_CARD(device && type);
    nvmlReturn_t result = link_check(device, link, uuid);
    if (result == NVML_SUCCESS)
        *type = *uuid ? NVML_NVLINK_DEVICE_TYPE_GPU : NVML_NVLINK_DEVICE_TYPE_SWITCH;
    return result;
}
