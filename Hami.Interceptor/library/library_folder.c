#define _GNU_SOURCE
#include "library_folder.h"

#include <dlfcn.h>
#include <string.h>

bool library_folder(char *folder, size_t length)
{
    Dl_info library;
    if (!dladdr((void *)library_folder, &library) || !library.dli_fname)
        return false;
    const char *slash = strrchr(library.dli_fname, '/');
    size_t folder_length = slash ? (size_t)(slash - library.dli_fname) : 0;
    if (!slash || folder_length >= length)
        return false;
    memcpy(folder, library.dli_fname, folder_length);
    folder[folder_length] = '\0';
    return true;
}
