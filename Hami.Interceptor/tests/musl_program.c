/* A program for musl: compiled and run by tests/test_portability.c. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments)
{
    if (dlsym(RTLD_DEFAULT, "puts") != (void *)puts || dlsym(RTLD_DEFAULT, "cuMemAlloc_v2"))
        return 3;
    if (count == 1)
        return puts("as without us") < 0;
    void *driver = dlopen(arguments[1], RTLD_NOW);
    if (!driver)
        return puts(dlerror()) < 0;
    int (*allocate)(unsigned long long *, size_t) =
        (int (*)(unsigned long long *, size_t))dlsym(driver, "cuMemAlloc_v2");
    unsigned long long pointer;
    printf("%d\n", allocate(&pointer, 1));
    printf("%d\n", allocate(&pointer, 1));
    return 0;
}
