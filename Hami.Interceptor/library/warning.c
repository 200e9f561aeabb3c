#define _GNU_SOURCE
#include "warning.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "state.h"

void warn_once(enum warning kind, const char *format, ...)
{
    uint32_t bit = UINT32_C(1) << kind;
    if (atomic_fetch_or(&state.warned, bit) & bit)
        return;
    int error = errno;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    errno = error;
}
