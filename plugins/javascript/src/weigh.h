/* How recursion in the engine is bounded.
 *
 * The engine bounds it by the stack in linear memory, all that a module can see. But a function may keep nothing there and kilobytes on
 * the host's stack, of which a plugin has 512 KiB; beyond that the call traps. So each function that looks at the stack, and each
 * that weigh.awk marks, takes some of linear memory to stand for what it takes of the host's. The figures are such that no way to
 * recurse that tests/it/javascript.rs knows gets to the trap. */
#ifndef WEIGH_H
#define WEIGH_H

/* The stack in linear memory that a script may use. */
#ifndef STACK_BYTES_MAX
#define STACK_BYTES_MAX (320u << 10)
#endif

/* What stands for a call, and for the dozen calls by which the parser gets from one bracket to the next. */
#ifndef WEIGHT_BYTES
#define WEIGHT_BYTES 512
#endif
#define WEIGHT_OF_PARSER_BYTES 1024

/* What stands for a level of JSON that is read or written. */
#define WEIGHT_OF_JSON_BYTES 256

#define WEIGH(bytes) \
    char weight[bytes]; \
    __asm__ volatile("" : : "r"(weight) : "memory");
#define WEIGH_FRAME WEIGH(WEIGHT_BYTES)
#define WEIGH_PARSER WEIGH(WEIGHT_OF_PARSER_BYTES)

#endif
