#pragma once

#include <stdbool.h>

/* False when a function is not to be had that way. */
bool families_route(const char *route);

/* False when the line says nothing about these families. */
bool families_answer(const char *line);
