/* One thread for the whole container looks, ten times a second, at what calls of ours do not show. */
#pragma once

/* Makes sure that a process of this container watches; cheap. Called wherever memory is given or a kernel is sent. */
void watcher_ensure(void);

/* In a forked child: the thread was the parent's. */
void watcher_forget(void);
