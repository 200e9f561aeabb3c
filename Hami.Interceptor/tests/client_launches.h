#pragma once

#include <stdbool.h>

/* False when the line says nothing about launches. */
bool launches_answer(const char *line);
