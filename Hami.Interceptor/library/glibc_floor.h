/* Included before everything else in the library: binds the functions that moved to GLIBC_2.34 to the version they
 * have had since the beginning, so that the library loads in containers with an old C library (2.17 and later). */
#if defined __x86_64__
#define FLOOR(symbol) __asm__(".symver " #symbol "," #symbol "@GLIBC_2.2.5");
#elif defined __aarch64__
#define FLOOR(symbol) __asm__(".symver " #symbol "," #symbol "@GLIBC_2.17");
#endif
#ifdef FLOOR
FLOOR(dlopen)
FLOOR(dladdr)
FLOOR(pthread_mutex_trylock)
FLOOR(pthread_create)
FLOOR(pthread_attr_setstacksize)
FLOOR(pthread_sigmask)
#endif
