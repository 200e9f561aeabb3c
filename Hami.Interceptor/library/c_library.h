/* The C library's own functions of a name that we export too. */
#pragma once

#include <stdbool.h>

/* Read from its table of symbols: neither dlsym nor dlvsym can be asked, for both are ours. NULL when it has none. */
void *c_library_function(const char *name);

/* False under musl and others, for which this library is not built: no driver of NVIDIA's is either. */
bool c_library_is_glibc(void);
