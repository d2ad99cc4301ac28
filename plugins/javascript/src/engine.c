/* quickjs-ng as one file, with what its build for WASI leaves out or leaves to the system:
 *
 * - a bound for recursion. Its check of the stack is off for WASI; here it is on (weigh.h says how);
 * - nothing is printed, so that nothing asks for WASI preview 1;
 * - memory that cannot be had ends the call, and never becomes an exception that a script might catch. */
#include <assert.h>
#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

/* How it takes threads and sizes of allocations is decided while the system is WASI... */
#include "cutils.h"
#include "weigh.h"
/* ...and how it takes the stack and atomics, while it is none. */
#undef __wasi__
#define __STDC_NO_ATOMICS__ 1

#undef printf
#undef fprintf
#undef putchar
#undef abort
#define printf(...) ((void)0)
#define fprintf(...) ((void)0)
#define putchar(...) ((void)0)
#define fwrite(...) ((size_t)0)
#define abort() __builtin_trap()

static inline __attribute__((always_inline)) void *weighed_frame(void) {
    char weight[WEIGHT_BYTES];
    void *frame = weight;
    __asm__ volatile("" : "+r"(frame) : : "memory");
    return frame;
}
#define __builtin_frame_address(level) weighed_frame()

#include "quickjs_weighed.c"

#include "runtime.h"

/* No memory: asks for all there could be, so that the host's limiter knows what ended the call. */
static void *or_end(void *memory, size_t size) {
    if (__builtin_expect(!memory && size, 0)) {
        __builtin_wasm_memory_grow(0, 65535 - __builtin_wasm_memory_size(0));
        __builtin_trap();
    }
    return memory;
}

static void *engine_calloc(void *opaque, size_t count, size_t size) {
    (void)opaque;
    return or_end(calloc(count, size), count && size);
}

static void *engine_malloc(void *opaque, size_t size) {
    (void)opaque;
    return or_end(malloc(size), size);
}

static void engine_free(void *opaque, void *memory) {
    (void)opaque;
    free(memory);
}

static void *engine_realloc(void *opaque, void *memory, size_t size) {
    (void)opaque;
    return or_end(realloc(memory, size), size);
}

JSRuntime *engine_start(void) {
    static const JSMallocFunctions functions = {
        engine_calloc, engine_malloc, engine_free, engine_realloc, js__malloc_usable_size,
    };
    JSRuntime *runtime = JS_NewRuntime2(&functions, NULL);
    if (!runtime) __builtin_trap();
    JS_SetMaxStackSize(runtime, STACK_BYTES_MAX);
    return runtime;
}

#undef __builtin_frame_address
size_t engine_room(void) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), end = cx ? rt->stack_limit : 0;
    return here > end ? here - end : 0;
}
