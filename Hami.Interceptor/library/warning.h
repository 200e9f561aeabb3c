/* One line on stderr, once per kind and process. Nothing else is ever printed, unless LIBCUDA_LOG_LEVEL asks for more.
 */
#pragma once

enum warning {
    WARNING_REGION,
    WARNING_SETTINGS,
    WARNING_LIMIT_DIFFERS,
    WARNING_SLOTS,
    WARNING_OOM_KILLER,
    WARNING_C_LIBRARY
};

__attribute__((format(printf, 2, 3))) void warn_once(enum warning kind, const char *format, ...);

/* A line about the settings: each is said, but only the first time they are read, not again in every forked child. */
__attribute__((format(printf, 1, 2))) void warn(const char *format, ...);
void warn_no_more(void);

/* A line that was asked for. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);
