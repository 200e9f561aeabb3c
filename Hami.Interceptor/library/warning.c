#define _GNU_SOURCE
#include "warning.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "state.h"

static void print(const char *format, va_list arguments)
{
    int error = errno;
    char line[512];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    if (length < 0)
        return;
    if ((size_t)length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    errno = error;
}

void warn_once(enum warning kind, const char *format, ...)
{
    uint32_t bit = UINT32_C(1) << kind;
    if (atomic_fetch_or(&state.warned, bit) & bit)
        return;
    va_list arguments;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void warn(const char *format, ...)
{
    if (atomic_load(&state.warned) & UINT32_C(1) << WARNING_SETTINGS)
        return;
    va_list arguments;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}

void warn_no_more(void)
{
    atomic_fetch_or(&state.warned, UINT32_C(1) << WARNING_SETTINGS);
}

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(format, arguments);
    va_end(arguments);
}
