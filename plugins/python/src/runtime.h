/* What the parts of the Python runtime know of each other. One instance runs one script. */
#ifndef RUNTIME_H
#define RUNTIME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "paddlewheel.h"

/* frozen.c, which build.sh writes: the modules of the standard library and of library/, as bytecode. */
extern const struct _frozen frozen_modules[];

/* system.c */

/* Whether there is a host to ask. There is none while the interpreter is started, at build time. */
extern bool host_is_there;

/* text.c: texts between the interpreter and the host. */

/* A new str; NULL: an exception was raised. */
PyObject *text_value(pw_text text);
/* The UTF-8 of a str, which lives as long as it does; `ptr` is NULL when an exception was raised. */
pw_text text_of(PyObject *string);
/* A text for people, in the arena of the call: halves of surrogate pairs are replaced. Never raises. */
pw_text text_shown(PyObject *value);

/* event.c */

extern PyTypeObject event_type;
/* The objects that the library brings. */
typedef struct library_parts {
    PyObject *absent, *refused, *reject, *retry, *output, *parse, *encode, *told, *load, *loads, *flush;
} library_parts;
extern library_parts library;
PyObject *event_new(pw_event *event);
/* The event behind an object, or NULL with an exception raised. */
pw_event *event_of(PyObject *object);
/* The call is over: its events lead nowhere. */
void events_end(void);

/* module.c: the module `_paddlewheel`. */
PyObject *module_start(void);

#endif
