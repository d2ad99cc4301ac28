/* The contract on the canonical ABI: what stands between paddlewheel.h and the host. */
#include "paddlewheel.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS "paddlewheel:transform/events@0.1.0"
#define LOG "paddlewheel:transform/log@0.1.0"
#define ASSETS "paddlewheel:transform/assets@0.1.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))

/* --- What the host offers --------------------------------------------------------------------------------------------- */

IMPORT(EVENTS, "[resource-drop]event") void host_drop(uint32_t event);
IMPORT(EVENTS, "[method]event.id") void host_id(uint32_t event, void *to);
IMPORT(EVENTS, "[method]event.partition-key") void host_partition_key(uint32_t event, void *to);
IMPORT(EVENTS, "[method]event.arrived-at-ms") uint64_t host_arrived_at_ms(uint32_t event);
IMPORT(EVENTS, "[method]event.get") void host_get(uint32_t event, const char *path, size_t len, void *to);
IMPORT(EVENTS, "[method]event.text") void host_text(uint32_t event, const char *path, size_t len, void *to);
IMPORT(EVENTS, "[method]event.has") uint32_t host_has(uint32_t event, const char *path, size_t len);
IMPORT(EVENTS, "[method]event.keys") void host_keys(uint32_t event, const char *path, size_t len, void *to);
IMPORT(EVENTS, "[method]event.length") void host_length(uint32_t event, const char *path, size_t len, void *to);
IMPORT(EVENTS, "[method]event.expand") void host_expand(uint32_t event, const char *pattern, size_t len, void *to);
IMPORT(EVENTS, "[method]event.set")
void host_set(uint32_t event, const char *path, size_t len, uint32_t kind, uint64_t payload, size_t text_len, void *to);
IMPORT(EVENTS, "[method]event.set-text")
void host_set_text(uint32_t event, const char *path, size_t len, const char *text, size_t text_len, void *to);
IMPORT(EVENTS, "[method]event.replace-text")
uint32_t host_replace_text(uint32_t event, const char *pattern, size_t len, const char *text, size_t text_len);
IMPORT(EVENTS, "[method]event.remove") uint32_t host_remove(uint32_t event, const char *pattern, size_t len);
IMPORT(EVENTS, "[method]event.rename")
uint32_t host_rename(uint32_t event, const char *path, size_t len, const char *to, size_t to_len);
IMPORT(EVENTS, "[method]event.json") void host_json(uint32_t event, void *to);
IMPORT(EVENTS, "[method]event.data") void host_data(uint32_t event, void *to);
IMPORT(EVENTS, "[method]event.copy") uint32_t host_copy(uint32_t event);
IMPORT(EVENTS, "[method]event.derive") uint32_t host_derive(uint32_t event, const char *data, size_t len);
IMPORT(LOG, "write") void host_log(uint32_t level, const char *message, size_t len);
IMPORT(ASSETS, "names") void host_asset_names(void *to);
IMPORT(ASSETS, "read") void host_asset(const char *name, size_t len, void *to);
IMPORT(ASSETS, "source") void host_asset_source(const char *name, size_t len, void *to);

/* --- The arena -------------------------------------------------------------------------------------------------------- */

/* What a chunk holds; larger pieces get a chunk of their own, which goes back when the call ends. */
#define CHUNK_BYTES ((size_t)64 << 10)

typedef struct chunk {
    struct chunk *before;
    size_t size;
    _Alignas(8) char bytes[];
} chunk;

/* The chunk in use, and how much of it is. One chunk of the usual size is kept from call to call. */
static chunk *current, *spare;
static size_t used;

static void *allocate(size_t size) {
    void *memory = malloc(size);
    /* Where the limit of memory was the reason, the host says so. */
    if (!memory) __builtin_trap();
    return memory;
}

static void add_chunk(size_t at_least) {
    chunk *fresh = spare;
    if (fresh && at_least <= CHUNK_BYTES) {
        spare = NULL;
    } else {
        size_t size = at_least > CHUNK_BYTES ? at_least : CHUNK_BYTES;
        if (size > SIZE_MAX - sizeof(chunk)) __builtin_trap();
        fresh = allocate(sizeof(chunk) + size);
        fresh->size = size;
    }
    fresh->before = current;
    current = fresh;
    used = 0;
}

void *pw_room(size_t size) {
    if (size > SIZE_MAX - 7) __builtin_trap();
    size = (size + 7) & ~(size_t)7;
    if (!current || size > current->size - used) add_chunk(size);
    void *room = current->bytes + used;
    used += size;
    return room;
}

pw_place pw_here(void) { return (pw_place){current, used}; }

void pw_rewind(pw_place place) {
    while (current != place.chunk) {
        chunk *gone = current;
        current = gone->before;
        if (!spare && gone->size == CHUNK_BYTES) spare = gone;
        else free(gone);
    }
    used = place.used;
}

/* The host makes room for what it hands over. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t size) {
    (void)alignment; /* The contract needs at most 8. */
    void *room = pw_room(size);
    if (old) memcpy(room, old, old_size < size ? old_size : size);
    return room;
}

/* --- Texts ------------------------------------------------------------------------------------------------------------ */

pw_text pw_from(const char *zero_terminated) { return (pw_text){zero_terminated, strlen(zero_terminated)}; }

bool pw_same(pw_text one, pw_text other) {
    return one.ptr && other.ptr && one.len == other.len && !memcmp(one.ptr, other.ptr, one.len);
}

pw_text pw_concat(const pw_text *parts, size_t count) {
    size_t len = 0;
    for (size_t k = 0; k < count; k++) len += parts[k].len;
    char *room = pw_room(len), *to = room;
    for (size_t k = 0; k < count; k++) {
        if (parts[k].len) memcpy(to, parts[k].ptr, parts[k].len);
        to += parts[k].len;
    }
    return (pw_text){room, len};
}

pw_text pw_digits(int64_t number) {
    char *end = (char *)pw_room(24) + 24, *digit = end;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do *--digit = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) *--digit = '-';
    return (pw_text){digit, (size_t)(end - digit)};
}

/* --- Events ----------------------------------------------------------------------------------------------------------- */

struct pw_event {
    uint32_t handle;
    enum { HELD, RETURNED, DROPPED } state;
    pw_event *next;
};

/* The events of this call, so that what is left can be dropped; the given one is the last of them. */
static pw_event given, *events;

/* Why the event is rejected whatever the answer is: the first set that failed and that nobody looked at. */
static pw_text failed;

typedef struct optional {
    uint8_t there;
    pw_text text;
} optional;

static pw_text if_there(optional answer) { return answer.there ? answer.text : (pw_text){NULL, 0}; }

pw_text pw_id(const pw_event *event) {
    pw_text answer;
    host_id(event->handle, &answer);
    return answer;
}

pw_text pw_partition_key(const pw_event *event) {
    pw_text answer;
    host_partition_key(event->handle, &answer);
    return answer;
}

uint64_t pw_arrived_at_ms(const pw_event *event) { return host_arrived_at_ms(event->handle); }

pw_value pw_get(const pw_event *event, pw_text path) {
    struct {
        uint8_t there;
        _Alignas(8) uint8_t kind;
        _Alignas(8) union {
            uint8_t boolean;
            int64_t integer;
            double number;
            pw_text text;
        } of;
    } answer;
    host_get(event->handle, path.ptr, path.len, &answer);
    pw_value value = {.kind = answer.there ? (pw_kind)answer.kind : PW_ABSENT, .integer = 0};
    switch (value.kind) {
    case PW_ABSENT:
    case PW_NULL: break;
    case PW_BOOLEAN: value.boolean = answer.of.boolean; break;
    case PW_INTEGER: value.integer = answer.of.integer; break;
    case PW_NUMBER: value.number = answer.of.number; break;
    case PW_TEXT:
    case PW_JSON: value.text = answer.of.text; break;
    }
    return value;
}

pw_text pw_get_text(const pw_event *event, pw_text path) {
    optional answer;
    host_text(event->handle, path.ptr, path.len, &answer);
    return if_there(answer);
}

bool pw_has(const pw_event *event, pw_text path) { return host_has(event->handle, path.ptr, path.len); }

pw_texts pw_keys(const pw_event *event, pw_text path) {
    pw_texts answer;
    host_keys(event->handle, path.ptr, path.len, &answer);
    return answer;
}

int64_t pw_length(const pw_event *event, pw_text path) {
    struct {
        uint8_t there;
        uint32_t length;
    } answer;
    host_length(event->handle, path.ptr, path.len, &answer);
    return answer.there ? (int64_t)answer.length : -1;
}

pw_texts pw_expand(const pw_event *event, pw_text pattern) {
    pw_texts answer;
    host_expand(event->handle, pattern.ptr, pattern.len, &answer);
    return answer;
}

static bool done(optional answer, pw_text *why) {
    if (answer.there && why) *why = answer.text;
    return !answer.there;
}

bool pw_try_set(pw_event *event, pw_text path, pw_value value, pw_text *why) {
    uint64_t payload = 0;
    size_t len = 0;
    switch (value.kind) {
    case PW_ABSENT:
        if (why) *why = PW("there is no value to set: its kind is PW_ABSENT");
        return false;
    case PW_NULL: break;
    case PW_BOOLEAN: payload = value.boolean; break;
    case PW_INTEGER: payload = (uint64_t)value.integer; break;
    case PW_NUMBER: memcpy(&payload, &value.number, sizeof payload); break;
    case PW_TEXT:
    case PW_JSON:
        payload = (uint64_t)(uintptr_t)value.text.ptr;
        len = value.text.len;
        break;
    }
    optional answer;
    host_set(event->handle, path.ptr, path.len, (uint32_t)value.kind, payload, len, &answer);
    return done(answer, why);
}

bool pw_try_set_text(pw_event *event, pw_text path, pw_text text, pw_text *why) {
    optional answer;
    host_set_text(event->handle, path.ptr, path.len, text.ptr, text.len, &answer);
    return done(answer, why);
}

void pw_set(pw_event *event, pw_text path, pw_value value) {
    pw_text why;
    if (!pw_try_set(event, path, value, &why) && !failed.ptr) failed = why;
}

void pw_set_text(pw_event *event, pw_text path, pw_text text) {
    pw_text why;
    if (!pw_try_set_text(event, path, text, &why) && !failed.ptr) failed = why;
}

uint32_t pw_replace_text(pw_event *event, pw_text pattern, pw_text text) {
    return host_replace_text(event->handle, pattern.ptr, pattern.len, text.ptr, text.len);
}

uint32_t pw_remove(pw_event *event, pw_text pattern) { return host_remove(event->handle, pattern.ptr, pattern.len); }

bool pw_rename(pw_event *event, pw_text path, pw_text to) {
    return host_rename(event->handle, path.ptr, path.len, to.ptr, to.len);
}

pw_text pw_json(const pw_event *event) {
    optional answer;
    host_json(event->handle, &answer);
    return if_there(answer);
}

pw_text pw_data(const pw_event *event) {
    pw_text answer;
    host_data(event->handle, &answer);
    return answer;
}

static pw_event *held(uint32_t handle) {
    pw_event *event = allocate(sizeof(pw_event));
    *event = (pw_event){handle, HELD, events};
    return events = event;
}

pw_event *pw_copy(const pw_event *event) { return held(host_copy(event->handle)); }

pw_event *pw_derive(const pw_event *event, pw_text data) {
    return held(host_derive(event->handle, data.ptr, data.len));
}

/* Gives back what was not returned. */
static void drop_the_rest(void) {
    while (events) {
        pw_event *event = events;
        events = event->next;
        if (event->state == HELD) host_drop(event->handle);
        if (event != &given) free(event);
    }
}

/* --- Answers ---------------------------------------------------------------------------------------------------------- */

enum { OUTPUTS, REJECT, RETRY, ERROR };

pw_answer pw_keep(pw_event *event) { return pw_send(event, (pw_text){NULL, 0}); }

pw_answer pw_send(pw_event *event, pw_text route) {
    pw_output *output = pw_room(sizeof *output);
    *output = (pw_output){event, route};
    return (pw_answer){OUTPUTS, 1, {.outputs = output}};
}

pw_answer pw_drop(pw_event *event) {
    if (event->state == HELD) host_drop(event->handle);
    event->state = DROPPED;
    return (pw_answer){OUTPUTS, 0, {.outputs = NULL}};
}

pw_answer pw_outputs(const pw_output *outputs, size_t count) {
    pw_output *copy = pw_room(count * sizeof *copy);
    if (count) memcpy(copy, outputs, count * sizeof *copy);
    return (pw_answer){OUTPUTS, count, {.outputs = copy}};
}

void pw_add(pw_list *list, pw_event *event) { pw_add_to(list, event, (pw_text){NULL, 0}); }

void pw_add_to(pw_list *list, pw_event *event, pw_text route) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 8;
        pw_output *items = pw_room(list->room * sizeof *items);
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
    }
    list->items[list->count++] = (pw_output){event, route};
}

pw_answer pw_all(const pw_list *list) { return (pw_answer){OUTPUTS, list->count, {.outputs = list->items}}; }

pw_answer pw_reject(pw_text reason) { return (pw_answer){REJECT, reason.len, {.ptr = reason.ptr}}; }

pw_answer pw_retry(pw_text reason) { return (pw_answer){RETRY, reason.len, {.ptr = reason.ptr}}; }

pw_answer pw_error(pw_text message) { return (pw_answer){ERROR, message.len, {.ptr = message.ptr}}; }

pw_refusal pw_ready(void) { return (pw_refusal){{NULL, 0}}; }

pw_refusal pw_refuse(pw_text reason) { return (pw_refusal){reason.ptr ? reason : PW("")}; }

/* --- Log and assets --------------------------------------------------------------------------------------------------- */

void pw_log(pw_level level, pw_text message) { host_log((uint32_t)level, message.ptr, message.len); }

pw_texts pw_asset_names(void) {
    pw_texts answer;
    host_asset_names(&answer);
    return answer;
}

pw_text pw_asset(pw_text name) {
    optional answer;
    host_asset(name.ptr, name.len, &answer);
    return if_there(answer);
}

pw_text pw_asset_source(pw_text name) {
    optional answer;
    host_asset_source(name.ptr, name.len, &answer);
    return if_there(answer);
}

/* --- What the plugin offers ------------------------------------------------------------------------------------------- */

typedef struct output {
    uint32_t event;
    uint8_t has_route;
    pw_text route;
} output;

/* Answers stay here until the host has read them. */
static struct {
    uint8_t failed;
    pw_text reason;
} of_init;
static struct {
    uint8_t failed;
    union {
        struct {
            output *items;
            size_t count;
        } outputs;
        struct {
            uint8_t kind;
            pw_text text;
        } failure;
    };
} of_transform;

EXPORT("paddlewheel:transform/plugin@0.1.0#init") void *export_init(const char *config, size_t len) {
    pw_refusal refusal = pw_init((pw_text){config, len});
    of_init.failed = refusal.reason.ptr != NULL;
    of_init.reason = refusal.reason;
    return &of_init;
}

/* What came in `init` stays: the next call begins behind it. */
static pw_place start;

EXPORT("cabi_post_paddlewheel:transform/plugin@0.1.0#init") void after_init(void *answer) {
    (void)answer;
    start = pw_here();
}

static void answer_failure(int kind, pw_text text) {
    of_transform.failed = 1;
    of_transform.failure.kind = (uint8_t)(kind - REJECT);
    of_transform.failure.text = text;
}

/* The outputs as the host reads them; not done when an event stands there that is no longer the plugin's: what is wrong. */
static const char *answer_outputs(const pw_output *outputs, size_t count) {
    output *items = pw_room(count * sizeof *items);
    for (size_t k = 0; k < count; k++) {
        pw_event *event = outputs[k].event;
        if (event->state == RETURNED) return "an event was returned twice: return a copy as the second";
        if (event->state == DROPPED) return "an event was returned after it was dropped";
        event->state = RETURNED;
        items[k] = (output){event->handle, outputs[k].route.ptr != NULL, outputs[k].route};
    }
    of_transform.failed = 0;
    of_transform.outputs.items = items;
    of_transform.outputs.count = count;
    return NULL;
}

EXPORT("paddlewheel:transform/plugin@0.1.0#transform") void *export_transform(uint32_t handle) {
    given = (pw_event){handle, HELD, NULL};
    events = &given;
    failed = (pw_text){NULL, 0};
    pw_answer answer = pw_transform(&given);
    const char *wrong = NULL;
    if (failed.ptr) answer_failure(REJECT, failed);
    else if (answer.kind != OUTPUTS) answer_failure(answer.kind, (pw_text){answer.of.ptr, answer.count});
    else wrong = answer_outputs(answer.of.outputs, answer.count);
    if (wrong) {
        answer_failure(ERROR, pw_from(wrong));
        /* Those before it were not returned after all. */
        for (pw_event *one = events; one; one = one->next)
            if (one->state == RETURNED) one->state = HELD;
    }
    drop_the_rest();
    return &of_transform;
}

EXPORT("cabi_post_paddlewheel:transform/plugin@0.1.0#transform") void after_transform(void *answer) {
    (void)answer;
    pw_rewind(start);
}
