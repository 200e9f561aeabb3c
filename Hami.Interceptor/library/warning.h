/* One line on stderr, once per kind and process. Nothing else is ever printed. */
#pragma once

enum warning { WARNING_REGION, WARNING_LIMIT, WARNING_LIMIT_DIFFERS, WARNING_SLOTS };

__attribute__((format(printf, 2, 3))) void warn_once(enum warning kind, const char *format, ...);
