/* A reader that dies of certain files, as a decoder may: a stand-in for its error, loaded before the C library.
   Whatever reads bytes that hold the words below is killed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char words[] = "deadly to whoever reads this";

ssize_t read(int file, void *into, size_t n) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    ssize_t got = real(file, into, n);
    if (got > 0 && memmem(into, got, words, sizeof words - 1)) kill(getpid(), SIGKILL);
    return got;
}
