#define _GNU_SOURCE
#include <dlfcn.h>

int answer(void)
{
    return 1;
}

int ask_next(void)
{
    int (*next)(void) = (int (*)(void))dlsym(RTLD_NEXT, "answer");
    int value = next ? next() : 0;
    return value;
}
