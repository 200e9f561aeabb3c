/* Looks a driver function up by itself; tests/lookup.c loads it in ways that hide the preloaded library from it. */
#include <dlfcn.h>
#include <stddef.h>

void *deep_find(const char *name)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    void *found = driver ? dlsym(driver, name) : NULL;
    return found;
}
