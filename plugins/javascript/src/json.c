/* JSON with all its integers, both ways.
 *
 * Unlike JSON.parse, integers beyond 2^53 - 1 are read as BigInt, and unlike JSON.stringify, BigInt and -0 are written, a number
 * that is whole and not an integer of the contract keeps its fraction, and what has no JSON is refused with its path. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dtoa.h"
#include "runtime.h"
#include "weigh.h"

#define SAFE_INTEGER_MAX 9007199254740991.0
/* The host takes documents of 512 levels. */
#define DEPTH_MAX 512

/* --- Reading ---------------------------------------------------------------------------------------------------------- */

/* The host wrote the text, so it is JSON; what is not all the same ends the call. */
typedef struct reader {
    const unsigned char *at, *end;
} reader;

/* Elements of arrays that are being read. */
static JSValue *pending;
static size_t pending_count, pending_room;

static JSValue read_value(reader *r);

static unsigned char next(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
    if (r->at >= r->end) __builtin_trap();
    return *r->at;
}

static unsigned hex(const unsigned char *digits) {
    unsigned unit = 0;
    for (int k = 0; k < 4; k++) unit = unit << 4 | (digits[k] <= '9' ? digits[k] - '0' : (digits[k] & 7) + 9);
    return unit;
}

/* A string with escapes, in UTF-16: they may name halves of surrogate pairs. */
static JSValue read_escaped(const unsigned char *from, const unsigned char *end) {
    uint16_t *units = pw_room((size_t)(end - from) * 2), *to = units;
    unsigned all = 0;
    while (from < end) {
        unsigned c = *from++;
        if (c == '\\') {
            switch (*from++) {
            case 'b': c = '\b'; break;
            case 'f': c = '\f'; break;
            case 'n': c = '\n'; break;
            case 'r': c = '\r'; break;
            case 't': c = '\t'; break;
            case 'u': c = hex(from), from += 4; break;
            default: c = from[-1];
            }
        } else if (c >= 0xF0) {
            c = (c & 7) << 18 | (from[0] & 63u) << 12 | (from[1] & 63u) << 6 | (from[2] & 63u), from += 3;
            *to++ = (uint16_t)(0xD7C0 + (c >> 10)), c = 0xDC00 | (c & 0x3FF);
        } else if (c >= 0xE0) {
            c = (c & 15) << 12 | (from[0] & 63u) << 6 | (from[1] & 63u), from += 2;
        } else if (c >= 0xC0) {
            c = (c & 31) << 6 | (from[0] & 63u), from += 1;
        }
        *to++ = (uint16_t)c;
        all |= c;
    }
    if (all >= 0x80) return JS_NewStringUTF16(cx, units, (size_t)(to - units));
    /* The engine keeps what is ASCII in bytes. */
    char *bytes = (char *)units;
    for (uint16_t *unit = units; unit < to; unit++) bytes[unit - units] = (char)*unit;
    return JS_NewStringLen(cx, bytes, (size_t)(to - units));
}

/* The text between quotes, and whether it holds escapes. The reader stands at the first quote. */
static pw_text read_quoted(reader *r, bool *escaped) {
    const unsigned char *from = ++r->at;
    *escaped = false;
    for (; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at != '\\') continue;
        *escaped = true;
        r->at++;
    }
    if (r->at >= r->end) __builtin_trap();
    return (pw_text){(const char *)from, (size_t)(r->at++ - from)};
}

static JSValue read_string(reader *r) {
    bool escaped;
    pw_text text = read_quoted(r, &escaped);
    if (!escaped) return text_value(text);
    pw_place place = pw_here();
    JSValue string = read_escaped((const unsigned char *)text.ptr, (const unsigned char *)text.ptr + text.len);
    pw_rewind(place);
    return string;
}

static JSAtom read_name(reader *r) {
    const unsigned char *start = r->at;
    bool escaped;
    pw_text text = read_quoted(r, &escaped);
    if (!escaped) return JS_NewAtomLen(cx, text.ptr, text.len);
    r->at = start;
    JSValue string = read_string(r);
    JSAtom name = JS_ValueToAtom(cx, string);
    JS_FreeValue(cx, string);
    return name;
}

/* A BigInt of any number of digits. */
static JSValue big_integer(pw_text digits) {
    JSValue global = JS_GetGlobalObject(cx), string = text_value(digits);
    static JSValue constructor = {0};
    static bool known;
    if (!known) constructor = JS_GetPropertyStr(cx, global, "BigInt"), known = true;
    JSValue big = JS_Call(cx, constructor, JS_UNDEFINED, 1, (JSValueConst *)&string);
    JS_FreeValue(cx, string);
    JS_FreeValue(cx, global);
    return big;
}

static JSValue read_number(reader *r) {
    const unsigned char *from = r->at;
    bool whole = true;
    for (; r->at < r->end; r->at++) {
        unsigned char c = *r->at;
        if (c == '.' || c == 'e' || c == 'E' || c == '+') whole = false;
        else if (c != '-' && (c < '0' || c > '9')) break;
    }
    size_t len = (size_t)(r->at - from);
    bool negative = len && *from == '-';
    if (whole && len - negative <= 15) {
        int64_t integer = 0;
        for (const unsigned char *digit = from + negative; digit < r->at; digit++) integer = integer * 10 + (*digit - '0');
        if (negative && !integer) return JS_NewFloat64(cx, -0.0);
        return JS_NewInt64(cx, negative ? -integer : integer);
    }
    pw_place place = pw_here();
    char *text = pw_room(len + 1);
    memcpy(text, from, len);
    text[len] = 0;
    JSATODTempMem memory;
    double number = js_atod(text, NULL, 10, 0, &memory);
    JSValue value = whole && !(fabs(number) <= SAFE_INTEGER_MAX) ? big_integer((pw_text){text, len})
                                                                 : JS_NewFloat64(cx, number);
    pw_rewind(place);
    return value;
}

static JSValue read_array(reader *r) {
    size_t first = pending_count;
    r->at++;
    while (next(r) != ']') {
        if (*r->at == ',') r->at++;
        JSValue element = read_value(r);
        if (pending_count == pending_room) {
            pending_room = pending_room ? 2 * pending_room : 64;
            pending = js_realloc(cx, pending, pending_room * sizeof *pending);
        }
        pending[pending_count++] = element;
    }
    r->at++;
    size_t count = pending_count - first;
    pending_count = first;
    return JS_NewArrayFrom(cx, (int)count, pending + first);
}

static JSValue read_object(reader *r) {
    JSValue object = JS_NewObject(cx);
    r->at++;
    while (next(r) != '}') {
        if (*r->at == ',') r->at++, next(r);
        JSAtom name = read_name(r);
        next(r);
        r->at++;
        JS_DefinePropertyValue(cx, object, name, read_value(r), JS_PROP_C_W_E);
        JS_FreeAtom(cx, name);
    }
    r->at++;
    return object;
}

static JSValue read_value(reader *r) {
    switch (next(r)) {
    case '{': return read_object(r);
    case '[': return read_array(r);
    case '"': return read_string(r);
    case 't': return r->at += 4, JS_TRUE;
    case 'f': return r->at += 5, JS_FALSE;
    case 'n': return r->at += 4, JS_NULL;
    default: return read_number(r);
    }
}

static size_t levels_of(pw_text json) {
    size_t levels = 0, most = 0;
    bool quoted = false;
    for (size_t k = 0; k < json.len; k++) {
        char c = json.ptr[k];
        if (c == '\\') k++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{')) most = ++levels > most ? levels : most;
        else if (!quoted && (c == ']' || c == '}')) levels--;
    }
    return most;
}

JSValue json_read(pw_text json) {
    /* The host's documents have 512 levels at most. Where there is no room for as many, it matters how many there are. */
    size_t room = engine_room();
    if (room < DEPTH_MAX * WEIGHT_OF_JSON_BYTES && levels_of(json) * WEIGHT_OF_JSON_BYTES > room)
        return JS_ThrowRangeError(cx, "Maximum call stack size exceeded");
    reader r = {(const unsigned char *)json.ptr, (const unsigned char *)json.ptr + json.len};
    return read_value(&r);
}

/* --- Writing ---------------------------------------------------------------------------------------------------------- */

/* Where the text is put together; kept, unless it was large. */
static char *out;
static size_t out_len, out_room;
#define OUT_KEPT_MAX ((size_t)64 << 10)

/* A value on the way from the root to the one being written. */
typedef struct step {
    const struct step *above;
    pw_text root; /* of the outermost: the path that the whole is meant for */
    void *object;
    JSAtom name;
    int64_t index;
    unsigned depth;
} step;

static bool write_value(JSValueConst value, const step *above, JSAtom name, int64_t index);

static char *out_more(size_t bytes) {
    if (out_room - out_len < bytes) {
        out_room = 2 * out_room > out_len + bytes ? 2 * out_room : out_len + bytes;
        if (out_room < 1024) out_room = 1024;
        out = js_realloc(cx, out, out_room);
    }
    return out + out_len;
}

static void put(const char *bytes, size_t count) {
    memcpy(out_more(count), bytes, count);
    out_len += count;
}

static void put_string(pw_text text) {
    /* An escape takes six bytes for one. */
    char *to = out_more(text.len * 6 + 2), *start = to;
    const unsigned char *from = (const unsigned char *)text.ptr, *end = from + text.len;
    static const char digits[] = "0123456789abcdef";
    *to++ = '"';
    while (from < end) {
        unsigned char c = *from++;
        if (c == '"' || c == '\\') *to++ = '\\', *to++ = (char)c;
        else if (c < 0x20) {
            memcpy(to, "\\u00", 4), to[4] = digits[c >> 4], to[5] = digits[c & 15], to += 6;
        } else if (c == 0xED && from < end && *from >= 0xA0) {
            unsigned unit = 0xD000 | (from[0] & 63u) << 6 | (from[1] & 63u);
            memcpy(to, "\\u", 2), to += 2, from += 2;
            for (int shift = 12; shift >= 0; shift -= 4) *to++ = digits[unit >> shift & 15];
        } else *to++ = (char)c;
    }
    *to++ = '"';
    out_len += (size_t)(to - start);
}

static void put_number(double number) {
    char text[64];
    JSDTOATempMem memory;
    if (number == 0 && signbit(number)) {
        put("-0", 2);
        return;
    }
    int len = js_dtoa(text, number, 10, 0, JS_DTOA_FORMAT_FREE, &memory);
    put(text, (size_t)len);
    /* An integer of the contract is exact; a number beyond is none, and its spelling says so. */
    if (fabs(number) > SAFE_INTEGER_MAX && !memchr(text, 'e', (size_t)len)) put(".0", 2);
}

/* Whether a name needs quotes in a path. */
static bool is_bare(pw_text name) {
    for (size_t k = 0; k < name.len; k++)
        if (strchr(".[]\"\\*", name.ptr[k])) return false;
    return name.len > 0;
}

/* The path of a part, for messages. */
static pw_text path_of(const step *above, JSAtom name, int64_t index) {
    if (!above) return (pw_text){"", 0};
    pw_text before = above->above ? path_of(above->above, above->name, above->index) : above->root;
    if (name == JS_ATOM_NULL) return pw_cat(before, PW("["), pw_digits(index), PW("]"));
    JSValue string = JS_AtomToString(cx, name);
    pw_text shown = text_shown(string);
    JS_FreeValue(cx, string);
    if (!is_bare(shown)) shown = pw_cat(PW("\""), shown, PW("\""));
    return before.len ? pw_cat(before, PW("."), shown) : shown;
}

static bool refuse(const step *above, JSAtom name, int64_t index, pw_text root, pw_text why) {
    pw_text path = above ? path_of(above, name, index) : root;
    THROW(TYPE_ERROR, PW("`"), path, PW("`: "), why);
    return false;
}

static bool write_elements(JSValueConst array, const step *here) {
    int64_t count = 0;
    if (JS_GetLength(cx, array, &count) < 0) return false;
    put("[", 1);
    for (int64_t k = 0; k < count; k++) {
        if (k) put(",", 1);
        JSValue element = JS_GetPropertyInt64(cx, array, k);
        bool done = !JS_IsException(element) && write_value(element, here, JS_ATOM_NULL, k);
        JS_FreeValue(cx, element);
        if (!done) return false;
    }
    put("]", 1);
    return true;
}

static bool write_member(JSValueConst object, JSAtom name, const step *here, bool first) {
    if (!first) put(",", 1);
    const char *text;
    size_t len;
    if (!(text = JS_AtomToCStringLen(cx, &len, name))) return false;
    put_string((pw_text){text, len});
    JS_FreeCString(cx, text);
    put(":", 1);
    JSValue member = JS_GetProperty(cx, object, name);
    bool done = !JS_IsException(member) && write_value(member, here, name, 0);
    JS_FreeValue(cx, member);
    return done;
}

static bool write_members(JSValueConst object, const step *here) {
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(cx, &names, &count, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0) return false;
    bool done = true;
    put("{", 1);
    for (uint32_t k = 0; k < count && done; k++) done = write_member(object, names[k].atom, here, k == 0);
    put("}", 1);
    JS_FreePropertyEnum(cx, names, count);
    return done;
}

static bool write_object(JSValueConst object, const step *above, JSAtom name, int64_t index, pw_text root) {
    if (JS_IsMap(object) || JS_IsSet(object) || JS_IsPromise(object) || JS_GetClassID(object) == event_class)
        return refuse(above, name, index, root, pw_cat(kind_of(object), PW(" is no JSON value")));
    step here = {.above = above, .root = root, .object = JS_VALUE_GET_PTR(object), .name = name, .index = index,
                 .depth = above ? above->depth + 1 : 1};
    for (const step *one = above; one; one = one->above)
        if (one->object == here.object)
            return refuse(above, name, index, root, PW("an object that holds itself is no JSON value"));
    if (here.depth > DEPTH_MAX) return throw_rejection(PW("the event would be nested deeper than 512 levels")), false;
    return JS_IsArray(object) ? write_elements(object, &here) : write_members(object, &here);
}

/* What `toJSON` makes of an object, or the object. */
static JSValue as_json(JSValueConst object, JSAtom name, int64_t index) {
    JSValue method = JS_GetPropertyStr(cx, object, "toJSON");
    if (JS_IsException(method)) return method;
    if (!JS_IsFunction(cx, method)) {
        JS_FreeValue(cx, method);
        return JS_DupValue(cx, object);
    }
    JSValue key = name == JS_ATOM_NULL ? text_value(pw_digits(index)) : JS_AtomToString(cx, name);
    JSValue made = JS_Call(cx, method, object, 1, (JSValueConst *)&key);
    JS_FreeValue(cx, key);
    JS_FreeValue(cx, method);
    return made;
}

static bool write_string(JSValueConst string) {
    js_text text = text_of(string);
    if (!text.text.ptr) return false;
    put_string(text.text);
    text_free(text);
    return true;
}

static bool write_scalar(JSValueConst value, const step *above, JSAtom name, int64_t index, pw_text root) {
    if (JS_IsString(value)) return write_string(value);
    if (JS_IsNumber(value)) {
        double number;
        JS_ToFloat64(cx, &number, value);
        if (!isfinite(number)) {
            pw_text which = isnan(number) ? PW("NaN") : number > 0 ? PW("Infinity") : PW("-Infinity");
            return refuse(above, name, index, root, pw_cat(which, PW(" is no JSON number")));
        }
        put_number(number);
        return true;
    }
    if (JS_IsNull(value)) return put("null", 4), true;
    if (JS_IsBool(value)) return JS_VALUE_GET_BOOL(value) ? put("true", 4) : put("false", 5), true;
    if (JS_IsBigInt(value)) {
        js_text digits = text_of(value);
        if (!digits.text.ptr) return false;
        put(digits.text.ptr, digits.text.len);
        text_free(digits);
        return true;
    }
    return refuse(above, name, index, root, pw_cat(kind_of(value), PW(" is no JSON value")));
}

/* The root's path, on a step that is none yet: see `json_write`. */
static pw_text root_path;

static bool write_value(JSValueConst value, const step *above, JSAtom name, int64_t index) {
    if (!JS_IsObject(value)) return write_scalar(value, above, name, index, root_path);
    WEIGH(WEIGHT_OF_JSON_BYTES)
    if (engine_room() < WEIGHT_OF_JSON_BYTES) return JS_ThrowRangeError(cx, "Maximum call stack size exceeded"), false;
    if (JS_IsFunction(cx, value)) return refuse(above, name, index, root_path, PW("a function is no JSON value"));
    JSValue made = as_json(value, name, index);
    bool done = !JS_IsException(made) && (JS_IsObject(made) && !JS_IsFunction(cx, made)
                                              ? write_object(made, above, name, index, root_path)
                                              : write_scalar(made, above, name, index, root_path));
    JS_FreeValue(cx, made);
    return done;
}

bool json_write(JSValueConst value, pw_text where, pw_text *json) {
    /* A script may set a field in `toJSON`, while another value is written: each has the text from its start on. */
    size_t start = out_len;
    pw_text outer = root_path;
    root_path = where;
    bool done = write_value(value, NULL, JS_ATOM_NULL, 0);
    root_path = outer;
    *json = (pw_text){out ? out + start : "", out_len - start};
    out_len = start;
    if (!start && out_room > OUT_KEPT_MAX) {
        /* The text is read before anything else is written: it moves to the arena, and the room goes back. */
        *json = pw_cat(*json);
        js_free(cx, out);
        out = NULL;
        out_room = 0;
    }
    return done;
}

bool value_of(JSValueConst value, pw_text where, pw_value *to, js_text *held) {
    held->text.ptr = NULL;
    if (JS_IsString(value)) {
        *held = text_of(value);
        *to = pw_string(held->text);
        if (!held->text.ptr) return false;
        if (!has_half_pair(held->text)) return true;
    } else if (JS_VALUE_GET_TAG(value) == JS_TAG_INT) {
        *to = pw_integer(JS_VALUE_GET_INT(value));
        return true;
    } else if (JS_IsNumber(value)) {
        double number;
        JS_ToFloat64(cx, &number, value);
        bool integer = fabs(number) <= SAFE_INTEGER_MAX && number == trunc(number) && !(number == 0 && signbit(number));
        *to = integer ? pw_integer((int64_t)number) : pw_number(number);
        if (isfinite(number)) return true;
    } else if (JS_IsBool(value)) {
        *to = pw_boolean(JS_VALUE_GET_BOOL(value));
        return true;
    } else if (JS_IsNull(value)) {
        *to = pw_null();
        return true;
    }
    to->kind = PW_JSON;
    return json_write(value, where, &to->text);
}
