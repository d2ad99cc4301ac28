/* Write a Paddlewheel plugin in C.
 *
 *     #include "paddlewheel.h"
 *
 *     pw_refusal pw_init(pw_text config) { return pw_ready(); }
 *
 *     pw_answer pw_transform(pw_event *event) {
 *         if (pw_same(pw_get_text(event, PW("level")), PW("DEBUG"))) return pw_drop(event);
 *         pw_replace_text(event, PW("user.email"), PW("***"));
 *         pw_set_text(event, PW("region"), PW("eu-west-1"));
 *         return pw_keep(event);
 *     }
 *
 * `pw_init` and `pw_transform` are yours. Everything else is here; compile `paddlewheel.c` with your files.
 *
 * Memory: you free nothing. What the host hands over in a call of `pw_transform`, and what `pw_room` gives, lives until that
 * call ends; what comes in `pw_init` lives as long as the instance. Events that you neither return nor drop are dropped for you.
 *
 * Texts are UTF-8, an address and a length, with no zero at the end. What you pass must be UTF-8: other bytes end the call.
 *
 * The comments are the contract's own. It stands in wit/transform.wit, with what paths, patterns, permissions and bounds are. */
#ifndef PADDLEWHEEL_H
#define PADDLEWHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PW_MUST_LOOK __attribute__((warn_unused_result))
#else
#define PW_MUST_LOOK
#endif

/* --- Texts ------------------------------------------------------------------------------------------------------------ */

/* A text, or bytes. One that is not there has the address NULL; an empty one has not. */
typedef struct pw_text {
    const char *ptr;
    size_t len;
} pw_text;

/* A literal as a text: PW("user.email"). */
#ifdef __cplusplus
#define PW(literal) (pw_text{"" literal, sizeof(literal) - 1})
#else
#define PW(literal) ((pw_text){"" literal, sizeof(literal) - 1})
#endif

/* A text that ends with a zero. */
pw_text pw_from(const char *zero_terminated);

/* Whether two texts are the same. One that is not there is the same as none. */
bool pw_same(pw_text one, pw_text other);

/* Texts in a row: pw_cat(PW("bad event "), pw_id(event)). */
pw_text pw_concat(const pw_text *parts, size_t count);
#ifndef __cplusplus
#define pw_cat(...) pw_concat((pw_text[]){__VA_ARGS__}, sizeof((pw_text[]){__VA_ARGS__}) / sizeof(pw_text))
#endif

/* A number in decimal digits. */
pw_text pw_digits(int64_t number);

/* Room for `size` bytes, at a multiple of 8, until the call ends. Never NULL: without memory the call ends. */
void *pw_room(size_t size);

/* For loops with very many reads: what was handed over after `pw_here` is given back by `pw_rewind`. */
typedef struct pw_place {
    void *chunk;
    size_t used;
} pw_place;
pw_place pw_here(void);
void pw_rewind(pw_place place);

/* --- Values ----------------------------------------------------------------------------------------------------------- */

/* The kinds of a value. */
typedef enum pw_kind {
    PW_ABSENT = -1, /* There is no such field. Not the same as `null`. */
    PW_NULL = 0,    /* JSON `null`. */
    PW_BOOLEAN = 1, /* `true` or `false`. */
    PW_INTEGER = 2, /* A number written without a fraction or an exponent that fits 64 bits with a sign, such as `42`. */
    PW_NUMBER = 3,  /* A number written with a fraction or an exponent, or `-0`, such as `1.0` or `1e3`. It is finite: setting a
                       value that is not a number or infinite ends the call. */
    PW_TEXT = 4,    /* A string, unescaped. */
    PW_JSON = 5,    /* JSON text of an array, an object, a number that fits neither PW_INTEGER nor PW_NUMBER, or a string that is
                       not valid Unicode (it holds half of a surrogate pair). It may be set to the text of any one JSON value;
                       a set fails for text that is not valid JSON. */
} pw_kind;

/* One JSON value. */
typedef struct pw_value {
    pw_kind kind;
    union {
        bool boolean;    /* PW_BOOLEAN */
        int64_t integer; /* PW_INTEGER */
        double number;   /* PW_NUMBER */
        pw_text text;    /* PW_TEXT, PW_JSON */
    };
} pw_value;

static inline pw_value pw_null(void) { pw_value v; v.kind = PW_NULL; v.integer = 0; return v; }
static inline pw_value pw_boolean(bool boolean) { pw_value v; v.kind = PW_BOOLEAN; v.boolean = boolean; return v; }
static inline pw_value pw_integer(int64_t integer) { pw_value v; v.kind = PW_INTEGER; v.integer = integer; return v; }
static inline pw_value pw_number(double number) { pw_value v; v.kind = PW_NUMBER; v.number = number; return v; }
static inline pw_value pw_string(pw_text text) { pw_value v; v.kind = PW_TEXT; v.text = text; return v; }
static inline pw_value pw_json_value(pw_text json) { pw_value v; v.kind = PW_JSON; v.text = json; return v; }

/* Several texts. */
typedef struct pw_texts {
    pw_text *items;
    size_t count;
} pw_texts;

/* --- Events ----------------------------------------------------------------------------------------------------------- */

/* One event: a record from the stream, or one part of an aggregated record. It lives as long as the call that got it.
 *
 * Changes are seen at once by later reads. They become final when the event is returned as an output. When the call fails, they
 * are forgotten.
 *
 * An event need not be JSON. If it is not, `pw_json` gives nothing, reading finds nothing, `pw_replace_text` and `pw_remove` give
 * 0, `pw_rename` gives false and a set fails; only `pw_data` and `pw_derive` are of use. pw_has(event, PW("")) asks whether it
 * is JSON. */
typedef struct pw_event pw_event;

/* The event's identity: the shard and the sequence number. It is the same when a record is delivered again. */
pw_text pw_id(const pw_event *event);

/* The key that the producer chose. Empty when the step may not read it (`@partition-key`). */
pw_text pw_partition_key(const pw_event *event);

/* When the record arrived in the stream, in milliseconds since 1970-01-01 UTC. Use it in place of a clock. */
uint64_t pw_arrived_at_ms(const pw_event *event);

/* The value of a field; of the kind PW_ABSENT if there is no such field.
 *     PW("user.id")    PW_INTEGER 42
 *     PW("user")       PW_JSON {"id":42} */
pw_value pw_get(const pw_event *event, pw_text path);

/* The value of a field when it is a string, else a text that is not there (`ptr` is NULL). The cheapest way to read a string. */
pw_text pw_get_text(const pw_event *event, pw_text path);

/* Whether the field is there, whatever its value, `null` included. */
bool pw_has(const pw_event *event, pw_text path);

/* The names in an object, in the order of the document, each written as a path needs it (in quotes where it must be). Empty when
 * there is no object at that path. */
pw_texts pw_keys(const pw_event *event, pw_text path);

/* How many elements an array has, how many names an object, or how many characters a string. -1 for other values and for a
 * field that is not there. */
int64_t pw_length(const pw_event *event, pw_text path);

/* The paths of all fields that match a pattern, in the order of the document, each fit for the other functions.
 *     PW("items[*].sku")   items[0].sku, items[1].sku */
pw_texts pw_expand(const pw_event *event, pw_text pattern);

/* Sets a field. Objects on the way that do not exist are made; an array takes an index up to its length, which appends.
 *
 * A set that fails (the way leads through a value that is not an object or array, the index is beyond the array's length, the
 * document would be nested deeper than 512 levels, a PW_JSON value is not valid, or the event is not JSON) changes nothing and
 * rejects the event with the host's reason, whatever `pw_transform` answers. Use `pw_try_set` to deal with it yourself. */
void pw_set(pw_event *event, pw_text path, pw_value value);

/* `pw_set` with a string: the commonest change, at less cost. */
void pw_set_text(pw_event *event, pw_text path, pw_text text);

/* `pw_set` and `pw_set_text` that say whether it was done; if not, `why` (unless it is NULL) is given the host's reason. */
PW_MUST_LOOK bool pw_try_set(pw_event *event, pw_text path, pw_value value, pw_text *why);
PW_MUST_LOOK bool pw_try_set_text(pw_event *event, pw_text path, pw_text text, pw_text *why);

/* Gives all fields that match a pattern this text, in every spelling and through arrays; gives how many there were. Where there
 * is none, none is made, and `null` stays `null`: what masks need, in one call. */
uint32_t pw_replace_text(pw_event *event, pw_text pattern, pw_text text);

/* Removes all fields that match a pattern, in every spelling and through arrays. Gives how many went. */
uint32_t pw_remove(pw_event *event, pw_text pattern);

/* Moves a field, with all that is in it, to another path. A field that stands there is replaced; objects on the way are made as
 * with `pw_set`. Gives false, without any change, when there is nothing at `path` or no way to `to`. */
bool pw_rename(pw_event *event, pw_text path, pw_text to);

/* The whole document as it stands, changes included, as JSON text. Not there when the event is not JSON. */
pw_text pw_json(const pw_event *event);

/* The event's bytes as they stand, changes included, JSON or not. */
pw_text pw_data(const pw_event *event);

/* A second event that stands where this one stands and goes its own way from here: for fan-out. The bytes are shared, so a copy
 * costs little. */
pw_event *pw_copy(const pw_event *event);

/* An event of the same identity with other bytes: for plugins that parse other formats. The bytes should be one JSON value in
 * UTF-8 if fields are to be read or set in it, here or in later steps. A step needs unrestricted `reads` and `writes` for it. */
pw_event *pw_derive(const pw_event *event, pw_text data);

/* --- Answers ---------------------------------------------------------------------------------------------------------- */

/* What a transform answers. Made by the functions below, to be returned as it is. */
typedef struct pw_answer {
    int kind;
    size_t count;
    union {
        const struct pw_output *outputs;
        const char *ptr;
    } of;
} pw_answer;

/* One event that goes on, and the name of the route it takes: one of the pipeline's `[routes]`. A route that is not there keeps
 * the one an earlier step gave it, or else the default. */
typedef struct pw_output {
    pw_event *event;
    pw_text route;
} pw_output;

/* The event goes on, by the route it already has. */
pw_answer pw_keep(pw_event *event);

/* The event ends here. The report counts it as dropped. */
pw_answer pw_drop(pw_event *event);

/* The event goes on by a route. */
pw_answer pw_send(pw_event *event, pw_text route);

/* Several events go on, in order. The array is copied. */
pw_answer pw_outputs(const pw_output *outputs, size_t count);

/* Events for `pw_outputs`, one by one: pw_list list = {0}; pw_add(&list, event); return pw_all(&list). */
typedef struct pw_list {
    pw_output *items;
    size_t count, room;
} pw_list;
void pw_add(pw_list *list, pw_event *event);
void pw_add_to(pw_list *list, pw_event *event, pw_text route);
pw_answer pw_all(const pw_list *list);

/* The event can never be processed. The step's failure policy decides what becomes of it. */
pw_answer pw_reject(pw_text reason);

/* Not now. The batch stops here and Kinesis sends it again later, for as long as the step's `retry_for_s` allows. */
pw_answer pw_retry(pw_text reason);

/* The plugin itself is broken: counts like a trap. For language runtimes; a plugin's own code should say `pw_reject`. */
pw_answer pw_error(pw_text message);

/* What `pw_init` answers. */
typedef struct pw_refusal {
    pw_text reason;
} pw_refusal;

/* The config is taken. */
pw_refusal pw_ready(void);

/* The config is refused, and the release with it. The text is shown to whoever wrote the config: say what is wrong, where, and
 * what would be right. */
pw_refusal pw_refuse(pw_text reason);

/* A member of a JSON object, such as the config, by its name; of the kind PW_ABSENT if there is none. An array, an object and a
 * number that fits no other kind are PW_JSON, so that members of members can be asked for too.
 *     pw_member(config, PW("slow_ms")) */
pw_value pw_member(pw_text json, pw_text name);

/* The same when it is a string, else a text that is not there.
 *     pw_member_text(config, PW("region")) */
pw_text pw_member_text(pw_text json, pw_text name);

/* --- Log and assets --------------------------------------------------------------------------------------------------- */

/* How important a line is. */
typedef enum pw_level {
    PW_DEBUG = 0, /* Details for whoever works on the plugin. */
    PW_INFO = 1,  /* Something worth knowing. */
    PW_WARN = 2,  /* Something odd that was dealt with. */
    PW_ERROR = 3, /* Something that a person must look at. */
} pw_level;

/* Writes one line. Each event may write a limited number of lines (20 unless the step's `log_lines` says otherwise), and a long
 * line is cut; further lines are counted and not kept. Never log what a mask is meant to hide. */
void pw_log(pw_level level, pw_text message);

/* The names of the step's files, in alphabetical order. */
pw_texts pw_asset_names(void);

/* A file's content; not there when there is no such file. */
pw_text pw_asset(pw_text name);

/* Where a file came from, for messages: "enrich.js". Not there when there is no such file. */
pw_text pw_asset_source(pw_text name);

/* --- Yours ------------------------------------------------------------------------------------------------------------ */

/* Called once in each instance, before the first event. `config` is the step's `config` from `paddle.toml`, as JSON; `{}` when
 * there is none. Check all of it here, unknown keys too. */
pw_refusal pw_init(pw_text config);

/* Called for each event. Use nothing but the event and the config: no counters, no caches that change the outcome. A call that
 * traps is tried once more in a fresh instance, and a record may be delivered twice. */
pw_answer pw_transform(pw_event *event);

#ifdef __cplusplus
}
#endif
#endif
