// Makes fields of a text such as: level=info msg="user logged in"
#include "paddlewheel.h"

#include <ctype.h>
#include <string.h>

static pw_text field;

static bool is_key(char c) { return isalnum((unsigned char)c) || c == '_' || c == '-'; }

// Sets the pairs of a text, whose values may stand in quotes; gives how many there were.
static size_t set_pairs(pw_event *event, pw_text text) {
    const char *end = text.ptr + text.len, *at = text.ptr, *equals;
    size_t found = 0;
    while ((equals = memchr(at, '=', (size_t)(end - at)))) {
        const char *key = equals, *value = equals + 1, *stop = value;
        while (key > text.ptr && is_key(key[-1])) key--;
        const char *quote = value < end && *value == '"' ? memchr(value + 1, '"', (size_t)(end - value - 1)) : NULL;
        if (quote) {
            value++;
            stop = quote;
        } else {
            while (stop < end && !isspace((unsigned char)*stop)) stop++;
        }
        if (key < equals && (quote || value < stop)) {
            if (!found++) pw_remove(event, field);
            pw_set_text(event, (pw_text){key, (size_t)(equals - key)}, (pw_text){value, (size_t)(stop - value)});
        }
        at = quote ? quote + 1 : stop;
    }
    return found;
}

pw_refusal pw_init(pw_text config) {
    field = pw_member_text(config, PW("field"));
    return field.len ? pw_ready() : pw_refuse(PW("`field` is needed"));
}

pw_answer pw_transform(pw_event *event) {
    pw_text text = pw_get_text(event, field);
    if (!text.ptr) return pw_reject(pw_cat(PW("there is no text in `"), field, PW("`")));
    if (!set_pairs(event, text)) return pw_reject(pw_cat(PW("`"), field, PW("` has no key=value pairs")));
    return pw_keep(event);
}
