/* What the parts of the JavaScript runtime know of each other. One instance runs one script: there is one context. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "paddlewheel.h"
#include "quickjs.h"

extern JSRuntime *rt;
extern JSContext *cx;

/* engine.c */
JSRuntime *engine_start(void);
/* How much of the stack is left: see weigh.h. */
size_t engine_room(void);

/* system.c */
double system_random(void);

/* text.c: texts between the engine and the host. */

/* A string's bytes; `text.ptr` is NULL when an exception was thrown. Give it back with `text_free`. Half a surrogate pair is kept as
 * three bytes that are not UTF-8: `has_half_pair` tells. */
typedef struct js_text {
    pw_text text;
} js_text;
js_text text_of(JSValueConst string);
void text_free(js_text text);
bool has_half_pair(pw_text text);
/* A value's `String(value)` as UTF-8, in the arena of the call; never throws. */
pw_text text_shown(JSValueConst value);
JSValue text_value(pw_text text);
/* Throws an error of any length. */
typedef enum { TYPE_ERROR, RANGE_ERROR, SYNTAX_ERROR } error_kind;
JSValue throw_text(error_kind kind, pw_text message);
#define THROW(kind, ...) throw_text(kind, pw_cat(__VA_ARGS__))
/* What kind of thing a value is, for messages: "a string", "null". */
pw_text kind_of(JSValueConst value);

/* json.c: JSON with all its integers, both ways. */

/* The value of a JSON text that the host wrote. */
JSValue json_read(pw_text json);
/* Writes a value as JSON; `where` is the path it is meant for. False: an exception was thrown. The text is good until the next one. */
bool json_write(JSValueConst value, pw_text where, pw_text *json);
/* The contract's value for a JavaScript value. False: an exception was thrown. `held` is to be given to `text_free`. */
bool value_of(JSValueConst value, pw_text where, pw_value *to, js_text *held);

/* event.c */
void event_classes(void);
extern JSClassID event_class, output_class;
JSValue event_new(pw_event *event);
/* The event behind an object, or NULL with an exception thrown. */
pw_event *event_of(JSValueConst object);
/* The call is over: its events lead nowhere. */
void events_end(void);

/* answers.c: what a script returns and throws, and what that means. */
void answer_classes(void);
JSModuleDef *answers_module(void);
/* An error that rejects the event if nobody catches it. */
JSValue throw_rejection(pw_text reason);
pw_answer answer_returned(JSValueConst value, pw_event *event);
/* Takes the exception that was thrown. */
pw_answer answer_thrown(void);
pw_text refusal_thrown(void);
pw_text exception_thrown(void);
/* Takes an exception: its name, its message and its stack. */
pw_text exception_shown(JSValue exception);

/* modules.c */
void modules_start(void);
/* Runs the main script; the namespace of its exports, or an exception. */
JSValue modules_run(pw_text *source);

/* jobs.c: promises. */
void jobs_start(void);
/* Waits for a value, which is taken. False: what it came to is an exception. */
bool jobs_settle(JSValue *value, pw_text whose);

/* globals.c */
void globals_start(void);

#endif
