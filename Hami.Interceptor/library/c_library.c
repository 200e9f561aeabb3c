#define _GNU_SOURCE
#include "c_library.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

struct wanted {
    const char *name;
    void *found;
};

/* A C library of before 2.34 has libdl beside it; musl is its own loader. */
static bool is_c_library(const char *path)
{
    static const char *const beginnings[] = {"libc.so", "libc-2.", "libdl.so", "libdl-2.", "ld-musl-", "libc.musl-"};
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(file, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

struct table {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash, *gnu_hash;
};

/* glibc has added the address the object lies at to what its dynamic section says, musl has not. */
static struct table table_of(const struct dl_phdr_info *object, const ElfW(Dyn) * entry)
{
    struct table table = {NULL, NULL, NULL, NULL};
    for (; entry->d_tag != DT_NULL; entry++) {
        ElfW(Addr) address = entry->d_un.d_ptr;
        if (address < object->dlpi_addr)
            address += object->dlpi_addr;
        const void *place = (const void *)address;
        if (entry->d_tag == DT_SYMTAB)
            table.symbols = place;
        else if (entry->d_tag == DT_STRTAB)
            table.names = place;
        else if (entry->d_tag == DT_HASH)
            table.hash = place;
        else if (entry->d_tag == DT_GNU_HASH)
            table.gnu_hash = place;
    }
    return table;
}

static const ElfW(Sym) * symbol_if(const struct table *table, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &table->symbols[index];
    return symbol->st_shndx != SHN_UNDEF && strcmp(table->names + symbol->st_name, name) == 0 ? symbol : NULL;
}

/* Buckets of chains; a chain's last hash is odd. The filter before them is for lookups that mostly fail. */
static const ElfW(Sym) * look_up_gnu(const struct table *table, const char *name)
{
    uint32_t buckets = table->gnu_hash[0], first = table->gnu_hash[1], filter_words = table->gnu_hash[2];
    const uint32_t *bucket = table->gnu_hash + 4 + filter_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chain = bucket + buckets;
    uint32_t hash = 5381;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    uint32_t index = buckets ? bucket[hash % buckets] : 0;
    for (; index >= first && index != 0; index++) {
        const ElfW(Sym) *symbol = (chain[index - first] | 1) == (hash | 1) ? symbol_if(table, index, name) : NULL;
        if (symbol || chain[index - first] & 1)
            return symbol;
    }
    return NULL;
}

static const ElfW(Sym) * look_up(const struct table *table, const char *name)
{
    if (!table->symbols || !table->names)
        return NULL;
    if (table->gnu_hash)
        return look_up_gnu(table, name);
    for (uint32_t index = 1; table->hash && index < table->hash[1]; index++)
        if (symbol_if(table, index, name))
            return &table->symbols[index];
    return NULL;
}

static int look_into(struct dl_phdr_info *object, size_t size, void *argument)
{
    struct wanted *wanted = argument;
    (void)size;
    if (!object->dlpi_name || !is_c_library(object->dlpi_name))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        struct table table = table_of(object, (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr));
        const ElfW(Sym) *symbol = look_up(&table, wanted->name);
        if (symbol)
            wanted->found = (void *)(object->dlpi_addr + symbol->st_value);
    }
    return wanted->found != NULL;
}

void *c_library_function(const char *name)
{
    struct wanted wanted = {name, NULL};
    dl_iterate_phdr(look_into, &wanted);
    return wanted.found;
}

extern const char *gnu_get_libc_version(void) __attribute__((weak));

bool c_library_is_glibc(void)
{
    return gnu_get_libc_version != NULL;
}
