/* What scripts expect to be there and the engine does not bring: console, TextEncoder, TextDecoder, structuredClone; and
 * Math.random by the host's chance. */
#include <string.h>

#include "runtime.h"

/* --- console ---------------------------------------------------------------------------------------------------------------- */

/* A value as a person reads it: strings as they are, errors with their stack, other objects as JSON where they have one. */
static pw_text shown(JSValueConst value) {
    if (JS_IsString(value) || JS_IsSymbol(value)) return text_shown(value);
    if (JS_IsError(value)) return exception_shown(JS_DupValue(cx, value));
    if (JS_IsFunction(cx, value)) return PW("[function]");
    if (JS_IsBigInt(value)) return pw_cat(text_shown(value), PW("n"));
    pw_text json;
    if (!JS_IsObject(value)) return text_shown(value);
    if (json_write(value, PW(""), &json)) return pw_cat(json);
    JS_FreeValue(cx, JS_GetException(cx));
    return text_shown(value);
}

static JSValue console_write(JSContext *context, JSValueConst self, int argc, JSValueConst *argv, int level) {
    (void)context, (void)self;
    pw_place place = pw_here();
    pw_text line = PW("");
    for (int k = 0; k < argc; k++) line = k ? pw_cat(line, PW(" "), shown(argv[k])) : shown(argv[k]);
    pw_log((pw_level)level, line);
    pw_rewind(place);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry console[] = {
    JS_CFUNC_MAGIC_DEF("debug", 0, console_write, PW_DEBUG), JS_CFUNC_MAGIC_DEF("log", 0, console_write, PW_INFO),
    JS_CFUNC_MAGIC_DEF("info", 0, console_write, PW_INFO),   JS_CFUNC_MAGIC_DEF("warn", 0, console_write, PW_WARN),
    JS_CFUNC_MAGIC_DEF("error", 0, console_write, PW_ERROR),
};

/* --- TextEncoder and TextDecoder -------------------------------------------------------------------------------------------- */

static JSClassID encoder_class, decoder_class;
static char fatal_mark[4]; /* An index of two bits: fatal, ignoreBOM. */

static JSValue encode(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)self;
    JSValue string = argc < 1 || JS_IsUndefined(argv[0]) ? JS_NewString(context, "") : JS_ToString(context, argv[0]);
    if (JS_IsException(string)) return string;
    pw_place place = pw_here();
    pw_text text = text_shown(string);
    JSValue bytes = JS_NewUint8ArrayCopy(context, (const uint8_t *)text.ptr, text.len);
    pw_rewind(place);
    JS_FreeValue(context, string);
    return bytes;
}

/* The length of the character at `at`, or 0 for bytes that are none; `*bad` is then how many of them are one mistake. */
static size_t character(const unsigned char *at, const unsigned char *end, size_t *bad) {
    unsigned char first = at[0];
    if (first < 0x80) return 1;
    size_t length = first >= 0xC2 && first <= 0xDF ? 2 : first >= 0xE0 && first <= 0xEF ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    *bad = 1;
    if (!length) return 0;
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (size_t k = 1; k < length; k++) {
        if (at + k >= end || at[k] < low || at[k] > high) {
            *bad = k;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

/* UTF-8 as the Encoding Standard decodes it. Not there: the bytes are none, and that is fatal. */
static pw_text decoded(pw_text bytes, bool fatal) {
    const unsigned char *at = (const unsigned char *)bytes.ptr, *end = at + bytes.len;
    char *text = pw_room(3 * bytes.len), *to = text;
    while (at < end) {
        size_t bad = 0, length = character(at, end, &bad);
        if (!length && fatal) return (pw_text){NULL, 0};
        memcpy(to, length ? (const char *)at : "\xEF\xBF\xBD", length ? length : 3);
        to += length ? length : 3;
        at += length ? length : bad;
    }
    return (pw_text){text, (size_t)(to - text)};
}

/* The bytes of an ArrayBuffer, or of a view of one. */
static bool bytes_of(JSValueConst value, pw_text *bytes) {
    size_t size = 0, offset = 0, length = 0;
    JSValue buffer;
    if (JS_IsArrayBuffer(value)) {
        buffer = JS_DupValue(cx, value);
        JS_GetArrayBuffer(cx, &length, value);
    } else if (JS_GetTypedArrayType(value) >= 0) {
        buffer = JS_GetTypedArrayBuffer(cx, value, &offset, &length, NULL);
    } else {
        THROW(TYPE_ERROR, PW("TextDecoder.decode: an ArrayBuffer or a typed array is expected, not "), kind_of(value));
        return false;
    }
    uint8_t *start = JS_IsException(buffer) ? NULL : JS_GetArrayBuffer(cx, &size, buffer);
    JS_FreeValue(cx, buffer);
    if (JS_HasException(cx)) return false;
    *bytes = start ? (pw_text){(const char *)start + offset, length} : PW("");
    return true;
}

static JSValue decode(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    char *mark = JS_GetOpaque2(context, self, decoder_class);
    if (!mark) return JS_EXCEPTION;
    bool fatal = (mark - fatal_mark) & 1, ignore_bom = (mark - fatal_mark) & 2;
    if (argc < 1 || JS_IsUndefined(argv[0])) return JS_NewString(context, "");
    pw_text bytes;
    if (!bytes_of(argv[0], &bytes)) return JS_EXCEPTION;
    pw_place place = pw_here();
    pw_text text = decoded(bytes, fatal);
    if (text.ptr && !ignore_bom && text.len >= 3 && !memcmp(text.ptr, "\xEF\xBB\xBF", 3)) text.ptr += 3, text.len -= 3;
    JSValue string = text.ptr ? text_value(text) : THROW(TYPE_ERROR, PW("TextDecoder.decode: the bytes are not UTF-8"));
    pw_rewind(place);
    return string;
}

static JSValue new_encoder(JSContext *context, JSValueConst target, int argc, JSValueConst *argv) {
    (void)target, (void)argc, (void)argv;
    return JS_NewObjectClass(context, encoder_class);
}

static bool option(JSValueConst options, const char *name) {
    JSValue value = JS_IsObject(options) ? JS_GetPropertyStr(cx, options, name) : JS_UNDEFINED;
    bool on = !JS_IsException(value) && JS_ToBool(cx, value) > 0;
    JS_FreeValue(cx, value);
    return on;
}

static JSValue new_decoder(JSContext *context, JSValueConst target, int argc, JSValueConst *argv) {
    (void)target, (void)argc;
    if (!JS_IsUndefined(argv[0])) {
        pw_text label = text_shown(argv[0]);
        if (!pw_same(label, PW("utf-8")) && !pw_same(label, PW("utf8")) && !pw_same(label, PW("UTF-8")))
            return THROW(RANGE_ERROR, PW("TextDecoder: only utf-8 is known, not \""), label, PW("\""));
    }
    char *mark = fatal_mark + option(argv[1], "fatal") + 2 * option(argv[1], "ignoreBOM");
    JSValue decoder = JS_NewObjectClass(context, decoder_class);
    JS_SetOpaque(decoder, mark);
    return decoder;
}

static JSValue encoding(JSContext *context, JSValueConst self) {
    (void)self;
    return JS_NewString(context, "utf-8");
}

static const JSCFunctionListEntry encoder_methods[] = {
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CGETSET_DEF("encoding", encoding, NULL),
};
static const JSCFunctionListEntry decoder_methods[] = {
    JS_CFUNC_DEF("decode", 1, decode),
    JS_CGETSET_DEF("encoding", encoding, NULL),
};

static void add_class(JSValueConst global, JSClassID *id, const JSClassDef *definition, JSCFunction *constructor, int length,
                      const JSCFunctionListEntry *methods, int count) {
    JS_NewClassID(rt, id);
    JS_NewClass(rt, *id, definition);
    JSValue prototype = JS_NewObject(cx);
    JS_SetPropertyFunctionList(cx, prototype, methods, count);
    JSValue function = JS_NewCFunction2(cx, constructor, definition->class_name, length, JS_CFUNC_constructor, 0);
    JS_SetConstructor(cx, function, prototype);
    JS_SetClassProto(cx, *id, prototype);
    JS_DefinePropertyValueStr(cx, global, definition->class_name, function, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
}

/* --- Others ------------------------------------------------------------------------------------------------------------------- */

static JSValue structured_clone(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)self, (void)argc;
    size_t size;
    uint8_t *bytes = JS_WriteObject(context, &size, argv[0], JS_WRITE_OBJ_REFERENCE);
    if (!bytes) return JS_EXCEPTION;
    JSValue clone = JS_ReadObject(context, bytes, size, JS_READ_OBJ_REFERENCE);
    js_free(context, bytes);
    return clone;
}

static JSValue random_number(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)self, (void)argc, (void)argv;
    return JS_NewFloat64(context, system_random());
}

static const JSCFunctionListEntry global_functions[] = {
    JS_CFUNC_DEF("structuredClone", 1, structured_clone),
};

#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

void globals_start(void) {
    static const JSClassDef encoder = {.class_name = "TextEncoder"}, decoder = {.class_name = "TextDecoder"};
    JSValue global = JS_GetGlobalObject(cx), object = JS_NewObject(cx);
    JS_SetPropertyFunctionList(cx, object, console, COUNT(console));
    JS_DefinePropertyValueStr(cx, global, "console", object, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_SetPropertyFunctionList(cx, global, global_functions, COUNT(global_functions));
    object = JS_GetPropertyStr(cx, global, "Math");
    JS_DefinePropertyValueStr(cx, object, "random", JS_NewCFunction(cx, random_number, "random", 0),
                              JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(cx, object);
    add_class(global, &encoder_class, &encoder, new_encoder, 0, encoder_methods, COUNT(encoder_methods));
    add_class(global, &decoder_class, &decoder, new_decoder, 2, decoder_methods, COUNT(decoder_methods));
    JS_FreeValue(cx, global);
}
