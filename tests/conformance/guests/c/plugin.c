/* Carries out the programs of the conformance suite. What each word does is described in tests/conformance/README.md. */
#define _DEFAULT_SOURCE /* clock_gettime, getentropy */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "paddlewheel.h"

static pw_text program;
static int64_t seen;

/* The text up to a character, or all of it; what comes after it is left in `rest`. */
static pw_text until(pw_text *rest, char stop) {
    const char *at = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;
    pw_text found = {rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len};
    size_t taken = found.len + (at ? 1 : 0);
    *rest = (pw_text){rest->ptr + taken, rest->len - taken};
    return found;
}

/* The next word as a path: a dot is the whole document. */
static pw_text path(pw_text *rest) {
    pw_text word = until(rest, ' ');
    return pw_same(word, PW(".")) ? PW("") : word;
}

static int64_t number(pw_text text) { return strtoll(pw_cat(text, ((pw_text){"", 1})).ptr, NULL, 10); }

static bool is(pw_text word, const char *name) { return pw_same(word, pw_from(name)); }

static pw_text element(pw_text list, size_t k) { return pw_cat(list, PW("["), pw_digits((int64_t)k), PW("]")); }

pw_refusal pw_init(pw_text config) {
    program = pw_member_text(config, PW("program"));
    if (!program.ptr) return pw_refuse(PW("config: `program` is missing"));
    for (pw_text rest = program; rest.len;) {
        pw_text line = until(&rest, '\n');
        pw_text word = until(&line, ' ');
        if (is(word, "refuse")) return pw_refuse(line);
        if (is(word, "break")) {
            fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
            abort();
        }
    }
    return pw_ready();
}

static pw_value text_or_absent(pw_text text) { return pw_string(text.ptr ? text : PW("absent")); }

static void texts(pw_event *event, pw_texts all, pw_text to) {
    for (size_t k = 0; k < all.count; k++) pw_set_text(event, element(to, k), all.items[k]);
}

static void each(pw_event *event, pw_text in, pw_texts all, pw_text to) {
    for (size_t k = 0; k < all.count; k++) {
        pw_text from = in.len ? pw_cat(in, PW("."), all.items[k]) : all.items[k];
        pw_set(event, element(to, k), pw_get(event, from));
    }
}

static pw_event *bytes(pw_event *event) {
    pw_text data = pw_data(event);
    char *text = pw_room(16 + 4 * data.len), *to = text;
    to += sprintf(to, "{\"bytes\":[");
    for (size_t k = 0; k < data.len; k++) to += sprintf(to, k ? ",%d" : "%d", (unsigned char)data.ptr[k]);
    to += sprintf(to, "]}");
    return pw_derive(event, (pw_text){text, (size_t)(to - text)});
}

static pw_value nested(int64_t depth) {
    char *text = pw_room(2 * (size_t)depth);
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    return pw_json_value((pw_text){text, 2 * (size_t)depth});
}

static int64_t random_number(void) {
    uint32_t drawn = 0;
    if (getentropy(&drawn, sizeof drawn)) abort();
    return drawn;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pw_value literal(pw_text word, pw_text text) {
    if (is(word, "null")) return pw_null();
    if (is(word, "boolean")) return pw_boolean(is(text, "true"));
    if (is(word, "integer")) return pw_integer(number(text));
    if (is(word, "number")) return pw_number(strtod(pw_cat(text, ((pw_text){"", 1})).ptr, NULL));
    if (is(word, "string")) return pw_string(text);
    return pw_json_value(text);
}

/* What is read or changed in the event itself. */
static void fields(pw_event *event, pw_text word, pw_text rest) {
    pw_text a = path(&rest), after_a = rest, b = path(&rest);
    if (is(word, "get")) {
        pw_value value = pw_get(event, a);
        pw_set(event, b, value.kind == PW_ABSENT ? pw_string(PW("absent")) : value);
    } else if (is(word, "text")) pw_set(event, b, text_or_absent(pw_get_text(event, a)));
    else if (is(word, "has")) pw_set(event, b, pw_boolean(pw_has(event, a)));
    else if (is(word, "length")) {
        int64_t length = pw_length(event, a);
        pw_set(event, b, length < 0 ? pw_string(PW("absent")) : pw_integer(length));
    } else if (is(word, "keys")) texts(event, pw_keys(event, a), b);
    else if (is(word, "expand")) texts(event, pw_expand(event, a), b);
    else if (is(word, "each")) each(event, PW(""), pw_expand(event, a), b);
    else if (is(word, "eachkey")) each(event, a, pw_keys(event, a), b);
    else if (is(word, "replace")) pw_set(event, b, pw_integer(pw_replace_text(event, a, rest)));
    else if (is(word, "erase")) pw_remove(event, a);
    else if (is(word, "remove")) pw_set(event, b, pw_integer(pw_remove(event, a)));
    else if (is(word, "rename")) pw_set(event, rest, pw_boolean(pw_rename(event, a, b)));
    else if (is(word, "try")) {
        pw_text why = PW("done");
        if (!pw_try_set(event, a, pw_integer(1), &why)) pw_log(PW_DEBUG, PW("refused"));
        pw_set_text(event, b, why);
    } else if (is(word, "json")) pw_set(event, a, text_or_absent(pw_json(event)));
    else if (is(word, "id")) pw_set_text(event, a, pw_id(event));
    else if (is(word, "key")) pw_set_text(event, a, pw_partition_key(event));
    else if (is(word, "arrived")) pw_set(event, a, pw_integer((int64_t)pw_arrived_at_ms(event)));
    else if (is(word, "clock")) pw_set(event, a, pw_integer(now_ms()));
    else if (is(word, "random")) pw_set(event, a, pw_integer(random_number()));
    else if (is(word, "count")) pw_set(event, a, pw_integer(seen));
    else if (is(word, "nest")) pw_set(event, a, nested(number(b)));
    else pw_set(event, a, literal(word, after_a));
}

static void print(pw_text text) {
    printf("%.*s\n", (int)text.len, text.ptr);
    fflush(stdout);
}

static pw_level level(pw_text name) {
    return is(name, "debug") ? PW_DEBUG : is(name, "info") ? PW_INFO : is(name, "warn") ? PW_WARN : PW_ERROR;
}

pw_answer pw_transform(pw_event *event) {
    pw_list answer = {0};
    pw_text route = {NULL, 0};
    bool dropped = false;
    seen++;
    for (pw_text lines = program; lines.len;) {
        pw_text line = until(&lines, '\n'), rest = line, word = until(&rest, ' ');
        if (is(word, "end")) {
            if (pw_has(event, rest)) break;
        } else if (is(word, "log")) {
            pw_level importance = level(until(&rest, ' '));
            pw_log(importance, rest);
        } else if (is(word, "print")) print(rest);
        else if (is(word, "reject")) return pw_reject(rest);
        else if (is(word, "retry")) return pw_retry(rest);
        else if (is(word, "fail")) return pw_error(rest);
        else if (is(word, "spin")) for (volatile unsigned k = 0;;) k++;
        else if (is(word, "hoard")) for (;;) memset(pw_room(1 << 20), 1, 1 << 20);
        else if (is(word, "route")) route = rest;
        else if (is(word, "drop")) dropped = true;
        else if (is(word, "forget")) for (int64_t k = number(rest); k > 0; k--) pw_copy(event);
        else if (is(word, "derive")) event = pw_derive(event, rest);
        else if (is(word, "bytes")) event = bytes(event);
        else if (is(word, "copy")) {
            pw_event *copy = pw_copy(event);
            pw_add_to(&answer, event, route);
            event = copy;
            route = (pw_text){NULL, 0};
        } else if (is(word, "twice")) pw_add(&answer, event);
        else fields(event, word, rest);
    }
    if (!dropped) pw_add_to(&answer, event, route);
    return pw_all(&answer);
}
