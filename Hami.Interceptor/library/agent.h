/* What the node agent tells a process in a container. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Our pid as the node knows it: the agent answers "pid <number>" and a newline to whoever connects, for the kernel
 * tells it who that is. False when there is no agent, or no such answer within 50 ms. */
bool agent_tells_pid(const char *socket_path, uint32_t *pid);
