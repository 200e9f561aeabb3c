#define _GNU_SOURCE
#include "c_library.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

/* No function of the C library is called before it is found: a sanitizer has its own of these, not ready as early. */
static bool begins(const char *text, const char *beginning)
{
    while (*beginning && *text == *beginning)
        text++, beginning++;
    return *beginning == '\0';
}

static bool is_same(const char *left, const char *right)
{
    while (*left && *left == *right)
        left++, right++;
    return *left == *right;
}

/* A C library of before 2.34 has libdl beside it; musl is its own loader. */
static bool is_c_library(const char *path)
{
    static const char *const beginnings[] = {"libc.so", "libc-2.", "libdl.so", "libdl-2.", "ld-musl-", "libc.musl-"};
    const char *file = path;
    for (const char *at = path; *at; at++)
        if (*at == '/')
            file = at + 1;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (begins(file, beginnings[i]))
            return true;
    return false;
}

struct table {
    const ElfW(Sym) * symbols;
    const char *names;
    const uint32_t *hash, *gnu_hash;
};

/* glibc has added the address the object lies at to what its dynamic section says, musl has not. */
static struct table table_of(const struct link_map *object)
{
    struct table table = {NULL, NULL, NULL, NULL};
    for (const ElfW(Dyn) *entry = object->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        ElfW(Addr) address = entry->d_un.d_ptr;
        if (address < object->l_addr)
            address += object->l_addr;
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
    return symbol->st_shndx != SHN_UNDEF && is_same(table->names + symbol->st_name, name) ? symbol : NULL;
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

/* The loader's list of objects, as debuggers find it: from the program's dynamic section. dl_iterate_phdr will not do:
 * a sanitizer has one of its own, which must not be called as early as lookups are. */
static const struct link_map *first_object(void)
{
    const ElfW(Phdr) *header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    ElfW(Addr) base = 0;
    const ElfW(Dyn) *entry = NULL;
    for (unsigned long i = 0; header && i < count; i++)
        if (header[i].p_type == PT_PHDR)
            base = (ElfW(Addr))header - header[i].p_vaddr;
    for (unsigned long i = 0; header && i < count; i++)
        if (header[i].p_type == PT_DYNAMIC)
            entry = (const ElfW(Dyn) *)(base + header[i].p_vaddr);
    for (; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr)
            return ((const struct r_debug *)entry->d_un.d_ptr)->r_map;
    return NULL;
}

void *c_library_function(const char *name)
{
    for (const struct link_map *object = first_object(); object; object = object->l_next) {
        if (!object->l_name || !is_c_library(object->l_name))
            continue;
        struct table table = table_of(object);
        const ElfW(Sym) *symbol = look_up(&table, name);
        if (symbol)
            return (void *)(object->l_addr + symbol->st_value);
    }
    return NULL;
}

extern const char *gnu_get_libc_version(void) __attribute__((weak));

bool c_library_is_glibc(void)
{
    return gnu_get_libc_version != NULL;
}
