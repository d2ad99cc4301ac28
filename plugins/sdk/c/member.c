/* Members of a JSON object, for configs. The host hands over valid JSON, so nothing is checked here but where the text ends. */
#include "paddlewheel.h"

#include <stdlib.h>
#include <string.h>

/* What is left of a text. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blank(cursor *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t')) in->at++;
}

/* Goes behind a string, whose first quote is next. */
static void skip_string(cursor *in) {
    for (in->at++; in->at < in->end && *in->at != '"'; in->at++)
        if (*in->at == '\\') in->at++;
    if (in->at < in->end) in->at++;
}

/* Goes behind a value of any kind. */
static void skip_value(cursor *in) {
    size_t depth = 0;
    for (; in->at < in->end; in->at++) {
        if (*in->at == '"') {
            skip_string(in);
            in->at--;
        } else if (*in->at == '{' || *in->at == '[') {
            depth++;
        } else if (*in->at == '}' || *in->at == ']') {
            if (!depth) return;
            if (!--depth) {
                in->at++;
                return;
            }
        } else if (*in->at == ',' && !depth) {
            return;
        }
    }
}

static uint32_t hex4(const char *digits) {
    char text[5] = {0};
    memcpy(text, digits, 4);
    return (uint32_t)strtoul(text, NULL, 16);
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* One escape, behind its backslash: where it goes on. Half of a surrogate pair, which no text can hold, sets `half`. */
static const char *unescape(const char *at, char **to, bool *half) {
    static const char short_ones[] = "b\bf\fn\nr\rt\t";
    if (*at != 'u') {
        const char *found = strchr(short_ones, *at);
        *(*to)++ = found && (found - short_ones) % 2 == 0 ? found[1] : *at;
        return at + 1;
    }
    uint32_t c = hex4(at + 1);
    at += 5;
    if (c >= 0xD800 && c < 0xDC00 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = hex4(at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
    }
    if (c >= 0xD800 && c < 0xE000) *half = true;
    *to = put_utf8(*to, c);
    return at;
}

/* A string's text. */
static pw_value string_value(pw_text raw) {
    const char *at = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    if (!memchr(at, '\\', (size_t)(end - at))) return pw_string((pw_text){at, (size_t)(end - at)});
    char *text = pw_room(raw.len), *to = text;
    bool half = false;
    while (at < end) {
        if (*at != '\\') *to++ = *at++;
        else at = unescape(at + 1, &to, &half);
    }
    return half ? pw_json_value(raw) : pw_string((pw_text){text, (size_t)(to - text)});
}

/* A number: an integer if it is written as one and fits 64 bits. */
static pw_value number_value(pw_text raw) {
    bool negative = raw.ptr[0] == '-', exact = true;
    uint64_t size = 0, most = (uint64_t)INT64_MAX + negative;
    for (size_t k = negative; k < raw.len; k++) {
        if (raw.ptr[k] < '0' || raw.ptr[k] > '9') exact = false;
        uint64_t digit = (uint64_t)(raw.ptr[k] - '0');
        if (exact && size > (most - digit) / 10) return pw_json_value(raw);
        if (exact) size = size * 10 + digit;
    }
    if (exact && !(negative && !size)) return pw_integer(negative ? (int64_t)(0 - size) : (int64_t)size);
    char *text = pw_room(raw.len + 1);
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = 0;
    double number = strtod(text, NULL);
    return number - number == 0 ? pw_number(number) : pw_json_value(raw);
}

static pw_value value_of(pw_text raw) {
    switch (raw.len ? raw.ptr[0] : 0) {
    case 'n': return pw_null();
    case 't': return pw_boolean(true);
    case 'f': return pw_boolean(false);
    case '"': return string_value(raw);
    case '{':
    case '[': return pw_json_value(raw);
    default: return number_value(raw);
    }
}

pw_value pw_member(pw_text json, pw_text name) {
    pw_value found = {.kind = PW_ABSENT};
    cursor in = {json.ptr, json.ptr + json.len};
    skip_blank(&in);
    if (in.at == in.end || *in.at != '{') return found;
    in.at++;
    for (;;) {
        skip_blank(&in);
        if (in.at == in.end || *in.at != '"') return found;
        const char *key = in.at;
        skip_string(&in);
        pw_value called = string_value((pw_text){key, (size_t)(in.at - key)});
        skip_blank(&in);
        in.at++; /* the colon */
        skip_blank(&in);
        const char *value = in.at;
        skip_value(&in);
        const char *end = in.at;
        while (end > value && strchr(" \n\r\t", end[-1])) end--;
        if (called.kind == PW_TEXT && pw_same(called.text, name)) return value_of((pw_text){value, (size_t)(end - value)});
        if (in.at == in.end || *in.at != ',') return found;
        in.at++;
    }
}

pw_text pw_member_text(pw_text json, pw_text name) {
    pw_value member = pw_member(json, name);
    return member.kind == PW_TEXT ? member.text : (pw_text){NULL, 0};
}
