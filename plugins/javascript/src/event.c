/* The class `Event`: what a script may ask of the event it holds. Each method is one call to the host. */
#include <string.h>

#include "runtime.h"

JSClassID event_class;

/* The objects of this call's events: when it ends, they lead nowhere. */
static JSValue *objects;
static size_t object_count, object_room;

JSValue event_new(pw_event *event) {
    JSValue object = JS_NewObjectClass(cx, event_class);
    JS_SetOpaque(object, event);
    if (object_count == object_room) {
        object_room = object_room ? 2 * object_room : 16;
        objects = js_realloc(cx, objects, object_room * sizeof *objects);
    }
    objects[object_count++] = JS_DupValue(cx, object);
    return object;
}

pw_event *event_of(JSValueConst object) {
    pw_event *event = JS_GetOpaque(object, event_class);
    if (event) return event;
    if (JS_GetClassID(object) == event_class)
        THROW(TYPE_ERROR, PW("this event's call is over: an event lives as long as the call that got it"));
    else
        THROW(TYPE_ERROR, PW("this is no event but "), kind_of(object), PW(": call the method on the event, as in event.get(\"a\")"));
    return NULL;
}

void events_end(void) {
    while (object_count) {
        JSValue object = objects[--object_count];
        JS_SetOpaque(object, NULL);
        JS_FreeValue(cx, object);
    }
}

/* A path, a pattern or a text that a method is given. */
static bool string_argument(const char *method, const char *what, JSValueConst value, js_text *to) {
    to->text.ptr = NULL;
    if (!JS_IsString(value)) {
        THROW(TYPE_ERROR, PW("event."), pw_from(method), PW(": "), pw_from(what), PW(" is a string, not "), kind_of(value));
        return false;
    }
    *to = text_of(value);
    if (to->text.ptr && !has_half_pair(to->text)) return true;
    if (to->text.ptr) {
        text_free(*to);
        THROW(TYPE_ERROR, PW("event."), pw_from(method), PW(": "), pw_from(what), PW(" holds half of a surrogate pair"));
    }
    return false;
}

static bool path_argument(const char *method, JSValueConst value, js_text *to) {
    return string_argument(method, "the path", value, to);
}

static JSValue optional_text(pw_text text) { return text.ptr ? text_value(text) : JS_UNDEFINED; }

static JSValue texts_value(pw_texts texts) {
    JSValue *items = pw_room(texts.count * sizeof *items);
    for (size_t k = 0; k < texts.count; k++) items[k] = text_value(texts.items[k]);
    return JS_NewArrayFrom(cx, (int)texts.count, items);
}

static JSValue value_read(pw_value value) {
    switch (value.kind) {
    case PW_ABSENT: return JS_UNDEFINED;
    case PW_NULL: return JS_NULL;
    case PW_BOOLEAN: return JS_NewBool(cx, value.boolean);
    case PW_INTEGER:
        if (value.integer > 9007199254740991 || value.integer < -9007199254740991) return JS_NewBigInt64(cx, value.integer);
        return JS_NewInt64(cx, value.integer);
    case PW_NUMBER: return JS_NewNumber(cx, value.number);
    case PW_TEXT: return text_value(value.text);
    case PW_JSON: return json_read(value.text);
    }
    __builtin_trap();
}

/* --- Reading: methods of a path that change nothing --------------------------------------------------------------------- */

enum { GET, TEXT, HAS, KEYS, LENGTH, EXPAND, REMOVE };
static const char *const reads[] = {"get", "text", "has", "keys", "length", "expand", "remove"};

static JSValue read_at(const pw_event *event, pw_text path, int what) {
    switch (what) {
    case GET: return value_read(pw_get(event, path));
    case TEXT: return optional_text(pw_get_text(event, path));
    case HAS: return JS_NewBool(cx, pw_has(event, path));
    case KEYS: return texts_value(pw_keys(event, path));
    case LENGTH: {
        int64_t length = pw_length(event, path);
        return length < 0 ? JS_UNDEFINED : JS_NewInt64(cx, length);
    }
    case EXPAND: return texts_value(pw_expand(event, path));
    default: return JS_NewUint32(cx, pw_remove((pw_event *)event, path));
    }
}

static JSValue method_read(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int what) {
    (void)context;
    pw_event *event = event_of(self);
    if (!event) return JS_EXCEPTION;
    pw_place place = pw_here();
    js_text path = {PW("")};
    bool whole = argc < 1 || JS_IsUndefined(argv[0]);
    /* Only where the whole document is a good answer may the path be left out. */
    if (whole && what != GET && what != KEYS && what != LENGTH && what != HAS)
        return THROW(TYPE_ERROR, PW("event."), pw_from(reads[what]), PW(": the path is missing"));
    if (!whole && !path_argument(reads[what], argv[0], &path)) return JS_EXCEPTION;
    JSValue answer = read_at(event, path.text, what);
    if (!whole) text_free(path);
    pw_rewind(place);
    return answer;
}

/* --- Writing ------------------------------------------------------------------------------------------------------------ */

static JSValue method_set(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)context, (void)argc;
    pw_event *event = event_of(self);
    js_text path, held;
    if (!event || !path_argument("set", argv[0], &path)) return JS_EXCEPTION;
    pw_place place = pw_here();
    pw_value value;
    pw_text why;
    bool done = value_of(argv[1], path.text, &value, &held);
    if (done && !(value.kind == PW_TEXT ? pw_try_set_text(event, path.text, value.text, &why)
                                        : pw_try_set(event, path.text, value, &why))) {
        throw_rejection(why);
        done = false;
    }
    text_free(held);
    text_free(path);
    pw_rewind(place);
    return done ? JS_UNDEFINED : JS_EXCEPTION;
}

enum { REPLACE_TEXT, RENAME };

static JSValue method_two_texts(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int what) {
    (void)context, (void)argc;
    const char *method = what == RENAME ? "rename" : "replaceText";
    pw_event *event = event_of(self);
    js_text path, text;
    if (!event || !path_argument(method, argv[0], &path)) return JS_EXCEPTION;
    if (!string_argument(method, what == RENAME ? "the new path" : "the text", argv[1], &text)) {
        text_free(path);
        return JS_EXCEPTION;
    }
    JSValue answer = what == RENAME ? JS_NewBool(cx, pw_rename(event, path.text, text.text))
                                    : JS_NewUint32(cx, pw_replace_text(event, path.text, text.text));
    text_free(text);
    text_free(path);
    return answer;
}

/* --- Wholes ------------------------------------------------------------------------------------------------------------- */

enum { JSON_TEXT, DATA, COPY, ID, PARTITION_KEY, ARRIVED_AT_MS };

static JSValue whole_of(const pw_event *event, int what) {
    switch (what) {
    case JSON_TEXT: return optional_text(pw_json(event));
    case DATA: {
        pw_text data = pw_data(event);
        return JS_NewUint8ArrayCopy(cx, (const uint8_t *)data.ptr, data.len);
    }
    case COPY: return event_new(pw_copy(event));
    case ID: return text_value(pw_id(event));
    case PARTITION_KEY: return text_value(pw_partition_key(event));
    default: return JS_NewInt64(cx, (int64_t)pw_arrived_at_ms(event));
    }
}

static JSValue get_whole(JSContext *context, JSValueConst self, int what) {
    (void)context;
    pw_event *event = event_of(self);
    if (!event) return JS_EXCEPTION;
    pw_place place = pw_here();
    JSValue answer = whole_of(event, what);
    pw_rewind(place);
    return answer;
}

static JSValue method_whole(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int what) {
    (void)argc, (void)argv;
    return get_whole(context, self, what);
}

/* A string is the new event's bytes in UTF-8, a Uint8Array its bytes; any other value is written as JSON. */
static JSValue method_derive(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)argc;
    pw_event *event = event_of(self);
    if (!event) return JS_EXCEPTION;
    js_text text = {{NULL, 0}};
    pw_text data;
    if (JS_IsString(argv[0])) {
        if (!string_argument("derive", "the data", argv[0], &text)) return JS_EXCEPTION;
        data = text.text;
    } else if (JS_GetTypedArrayType(argv[0]) == JS_TYPED_ARRAY_UINT8) {
        size_t size;
        uint8_t *bytes = JS_GetUint8Array(context, &size, argv[0]);
        if (!bytes && size) return JS_EXCEPTION;
        data = (pw_text){bytes ? (const char *)bytes : "", bytes ? size : 0};
    } else if (!json_write(argv[0], PW(""), &data)) {
        return JS_EXCEPTION;
    }
    JSValue derived = event_new(pw_derive(event, data));
    text_free(text);
    return derived;
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_MAGIC_DEF("get", 1, method_read, GET),
    JS_CFUNC_MAGIC_DEF("text", 1, method_read, TEXT),
    JS_CFUNC_MAGIC_DEF("has", 1, method_read, HAS),
    JS_CFUNC_MAGIC_DEF("keys", 1, method_read, KEYS),
    JS_CFUNC_MAGIC_DEF("length", 1, method_read, LENGTH),
    JS_CFUNC_MAGIC_DEF("expand", 1, method_read, EXPAND),
    JS_CFUNC_MAGIC_DEF("remove", 1, method_read, REMOVE),
    JS_CFUNC_DEF("set", 2, method_set),
    JS_CFUNC_MAGIC_DEF("replaceText", 2, method_two_texts, REPLACE_TEXT),
    JS_CFUNC_MAGIC_DEF("rename", 2, method_two_texts, RENAME),
    JS_CFUNC_MAGIC_DEF("json", 0, method_whole, JSON_TEXT),
    JS_CFUNC_MAGIC_DEF("data", 0, method_whole, DATA),
    JS_CFUNC_MAGIC_DEF("copy", 0, method_whole, COPY),
    JS_CFUNC_DEF("derive", 1, method_derive),
    JS_CGETSET_MAGIC_DEF("id", get_whole, NULL, ID),
    JS_CGETSET_MAGIC_DEF("partitionKey", get_whole, NULL, PARTITION_KEY),
    JS_CGETSET_MAGIC_DEF("arrivedAtMs", get_whole, NULL, ARRIVED_AT_MS),
    JS_PROP_STRING_DEF("[Symbol.toStringTag]", "Event", JS_PROP_CONFIGURABLE),
};

void event_classes(void) {
    static const JSClassDef definition = {.class_name = "Event"};
    JS_NewClassID(rt, &event_class);
    JS_NewClass(rt, event_class, &definition);
    JSValue prototype = JS_NewObject(cx);
    JS_SetPropertyFunctionList(cx, prototype, methods, sizeof methods / sizeof *methods);
    JS_SetClassProto(cx, event_class, prototype);
}
