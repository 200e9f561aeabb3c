#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "settings.h"

enum { PATIENCE_MS = 50, MS = 1000000, PID_MOST = 1 << 22 };

static int agent_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (agent >= 0 && connect(agent, (struct sockaddr *)&address, sizeof address) != 0) {
        close(agent);
        return -1;
    }
    return agent;
}

/* Up to the newline, which becomes the end; false when there is none in time. */
static bool line_read(int agent, char *line, size_t length)
{
    int64_t until_ms = (int64_t)(precise_ns() / MS) + PATIENCE_MS;
    for (size_t filled = 0; filled < length;) {
        int64_t left_ms = until_ms - (int64_t)(precise_ns() / MS);
        struct pollfd wanted = {.fd = agent, .events = POLLIN};
        if (left_ms <= 0 || (poll(&wanted, 1, (int)left_ms) <= 0 && errno != EINTR))
            return false;
        ssize_t got = read(agent, line + filled, length - filled);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        filled += got > 0 ? (size_t)got : 0;
        char *end = memchr(line, '\n', filled);
        if (end) {
            *end = '\0';
            return end == line + filled - 1;
        }
    }
    return false;
}

bool agent_tells_pid(const char *socket_path, uint32_t *pid)
{
    char line[32];
    uint64_t number;
    int agent = agent_connect(socket_path);
    if (agent < 0)
        return false;
    bool told = line_read(agent, line, sizeof line) && strncmp(line, "pid ", 4) == 0 &&
                number_parse(line + 4, &number) && number >= 1 && number <= PID_MOST;
    close(agent);
    if (told)
        *pid = (uint32_t)number;
    return told;
}
