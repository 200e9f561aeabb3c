/* The folder this library was loaded from: what the node agent gives a container lies beside it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* False when it is unknown, or too long. */
bool library_folder(char *folder, size_t length);
