/* Texts between the engine and the host, and errors in words. */
#include <string.h>

#include "runtime.h"

js_text text_of(JSValueConst string) {
    size_t len = 0;
    const char *bytes = JS_ToCStringLen(cx, &len, string);
    return (js_text){{bytes, len}};
}

void text_free(js_text text) {
    if (text.text.ptr) JS_FreeCString(cx, text.text.ptr);
}

/* The engine writes half a surrogate pair as ED A0..BF xx, which UTF-8 does not have. */
static const unsigned char *half_pair(const unsigned char *from, const unsigned char *end) {
    while (end - from >= 3 && (from = memchr(from, 0xED, (size_t)(end - from))) && end - from >= 3) {
        if (from[1] >= 0xA0) return from;
        from++;
    }
    return NULL;
}

bool has_half_pair(pw_text text) {
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    return half_pair(bytes, bytes + text.len) != NULL;
}

pw_text text_shown(JSValueConst value) {
    js_text text = text_of(value);
    if (!text.text.ptr) {
        JS_FreeValue(cx, JS_GetException(cx));
        return kind_of(value);
    }
    unsigned char *copy = pw_room(text.text.len), *end = copy + text.text.len, *half = copy;
    memcpy(copy, text.text.ptr, text.text.len);
    while ((half = (unsigned char *)half_pair(half, end))) memcpy(half, "\xEF\xBF\xBD", 3);
    size_t len = text.text.len;
    text_free(text);
    return (pw_text){(char *)copy, len};
}

JSValue text_value(pw_text text) { return JS_NewStringLen(cx, text.ptr, text.len); }

JSValue throw_text(error_kind kind, pw_text message) {
    JSValue error = kind == TYPE_ERROR    ? JS_NewTypeError(cx, "%s", "")
                    : kind == RANGE_ERROR ? JS_NewRangeError(cx, "%s", "")
                                          : JS_NewSyntaxError(cx, "%s", "");
    JS_DefinePropertyValueStr(cx, error, "message", text_value(message), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    return JS_Throw(cx, error);
}

pw_text kind_of(JSValueConst value) {
    if (JS_IsUndefined(value)) return PW("undefined");
    if (JS_IsNull(value)) return PW("null");
    if (JS_IsBool(value)) return JS_VALUE_GET_BOOL(value) ? PW("true") : PW("false");
    if (JS_IsNumber(value)) return PW("a number");
    if (JS_IsBigInt(value)) return PW("a BigInt");
    if (JS_IsString(value)) return PW("a string");
    if (JS_IsSymbol(value)) return PW("a symbol");
    if (JS_IsFunction(cx, value)) return PW("a function");
    if (JS_IsPromise(value)) return PW("a promise");
    if (JS_IsArray(value)) return PW("an array");
    if (JS_IsMap(value)) return PW("a Map");
    if (JS_IsSet(value)) return PW("a Set");
    if (JS_GetClassID(value) == event_class) return PW("an event");
    return PW("an object");
}
