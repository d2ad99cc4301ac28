/* What the runtime asks of the host besides the contract: the time, and numbers by chance. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "runtime.h"

typedef struct moment {
    uint64_t seconds;
    uint32_t nanoseconds;
} moment;

__attribute__((import_module("wasi:clocks/wall-clock@0.2.6"), import_name("now"))) extern void host_now(moment *to);
__attribute__((import_module("wasi:random/random@0.2.6"), import_name("get-random-u64"))) extern uint64_t host_random(void);

/* One clock for all: what passes between two looks is the host's to say. */
int clock_gettime(clockid_t clock, struct timespec *to) {
    (void)clock;
    moment now;
    host_now(&now);
    to->tv_sec = (time_t)now.seconds;
    to->tv_nsec = (long)now.nanoseconds;
    return 0;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone) {
    (void)zone;
    moment now;
    host_now(&now);
    to->tv_sec = (time_t)now.seconds;
    to->tv_usec = (suseconds_t)(now.nanoseconds / 1000);
    return 0;
}

/* Every number comes from the host: an event that is tried again in a fresh instance meets the same ones. */
double system_random(void) { return (double)(host_random() >> 11) * 0x1p-53; }

/* The libc says on standard error why a program ends, and would ask for files to say it. There are none. */
_Noreturn void abort(void) { __builtin_trap(); }
int __stdio_close(FILE *file) { __builtin_trap(); }
off_t __stdio_seek(FILE *file, off_t offset, int from) { __builtin_trap(); }
size_t __stdio_write(FILE *file, const unsigned char *bytes, size_t count) { __builtin_trap(); }
