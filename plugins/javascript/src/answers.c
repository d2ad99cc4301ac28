/* What a script returns and throws, and what that means; the module "paddlewheel", which has the words for it. */
#include <string.h>

#include "runtime.h"

/* `send` makes an output: an event with its route. */
JSClassID output_class;
/* `reject` and `retry` make errors of a class of their own; the opaque pointer tells which. */
static JSClassID failure_class;
static char reject_mark, retry_mark;

static JSValue failure_new(JSValueConst reason, void *mark, const char *name) {
    JSValue failure = JS_NewObjectClass(cx, failure_class);
    JS_SetOpaque(failure, mark);
    const int flags = JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE;
    JSValue message = JS_IsUndefined(reason) ? JS_NewString(cx, "") : JS_ToString(cx, reason);
    if (JS_IsException(message)) {
        JS_FreeValue(cx, failure);
        return message;
    }
    JS_DefinePropertyValueStr(cx, failure, "message", message, flags);
    JS_DefinePropertyValueStr(cx, failure, "name", JS_NewString(cx, name), flags);
    return failure;
}

JSValue throw_rejection(pw_text reason) {
    JSValue text = text_value(reason);
    JSValue failure = failure_new(text, &reject_mark, "Reject");
    JS_FreeValue(cx, text);
    return JS_Throw(cx, failure);
}

/* --- The module "paddlewheel" --------------------------------------------------------------------------------------------- */

static JSValue function_reject(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)context, (void)self, (void)argc;
    return failure_new(argv[0], &reject_mark, "Reject");
}

static JSValue function_retry(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)context, (void)self, (void)argc;
    return failure_new(argv[0], &retry_mark, "Retry");
}

static JSValue function_send(JSContext *context, JSValueConst self, int argc, JSValueConst *argv) {
    (void)context, (void)self, (void)argc;
    if (!event_of(argv[0])) return JS_EXCEPTION;
    if (!JS_IsString(argv[1])) return THROW(TYPE_ERROR, PW("send: the route is a string, not "), kind_of(argv[1]));
    JSValue output = JS_NewObjectClass(cx, output_class);
    JS_DefinePropertyValueStr(cx, output, "event", JS_DupValue(cx, argv[0]), JS_PROP_ENUMERABLE);
    JS_DefinePropertyValueStr(cx, output, "route", JS_DupValue(cx, argv[1]), JS_PROP_ENUMERABLE);
    return output;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("reject", 1, function_reject),
    JS_CFUNC_DEF("retry", 1, function_retry),
    JS_CFUNC_DEF("send", 2, function_send),
};

static int fill_module(JSContext *context, JSModuleDef *module) {
    return JS_SetModuleExportList(context, module, functions, sizeof functions / sizeof *functions);
}

JSModuleDef *answers_module(void) {
    JSModuleDef *module = JS_NewCModule(cx, "paddlewheel", fill_module);
    if (module) JS_AddModuleExportList(cx, module, functions, sizeof functions / sizeof *functions);
    return module;
}

void answer_classes(void) {
    static const JSClassDef output = {.class_name = "Output"}, failure = {.class_name = "Failure"};
    JS_NewClassID(rt, &output_class);
    JS_NewClass(rt, output_class, &output);
    JS_SetClassProto(cx, output_class, JS_NewObject(cx));
    JS_NewClassID(rt, &failure_class);
    JS_NewClass(rt, failure_class, &failure);
    JSValue global = JS_GetGlobalObject(cx), error = JS_GetPropertyStr(cx, global, "Error");
    JSValue of_error = JS_GetPropertyStr(cx, error, "prototype");
    JS_SetClassProto(cx, failure_class, JS_NewObjectProto(cx, of_error));
    JS_FreeValue(cx, of_error);
    JS_FreeValue(cx, error);
    JS_FreeValue(cx, global);
}

/* --- What was returned ---------------------------------------------------------------------------------------------------- */

/* An event, or what `send` made, as an output. False: it is neither, or an exception was thrown. */
static bool output_of(JSValueConst item, pw_list *list) {
    if (JS_GetClassID(item) == event_class) {
        pw_event *event = event_of(item);
        if (event) pw_add(list, event);
        return event != NULL;
    }
    if (JS_GetClassID(item) != output_class) return false;
    JSValue object = JS_GetPropertyStr(cx, item, "event"), route = JS_GetPropertyStr(cx, item, "route");
    pw_event *event = event_of(object);
    if (event) pw_add_to(list, event, text_shown(route));
    JS_FreeValue(cx, route);
    JS_FreeValue(cx, object);
    return event != NULL;
}

static pw_text was_returned(JSValueConst value) {
    void *mark = JS_GetOpaque(value, failure_class);
    if (mark) return mark == &reject_mark ? PW("reject(…): it must be thrown") : PW("retry(…): it must be thrown");
    return kind_of(value);
}

#define EXPECTED ": expected is nothing, an event, send(event, \"route\"), or a list of these"

static pw_answer list_returned(JSValueConst value) {
    int64_t count = 0;
    pw_list list = {0};
    if (JS_GetLength(cx, value, &count) < 0) return answer_thrown();
    for (int64_t k = 0; k < count; k++) {
        JSValue item = JS_GetPropertyInt64(cx, value, k);
        bool fits = !JS_IsException(item) && output_of(item, &list);
        pw_text what = fits ? PW("") : was_returned(item);
        JS_FreeValue(cx, item);
        if (fits) continue;
        if (JS_HasException(cx)) return answer_thrown();
        return pw_error(pw_cat(PW("`transform` returned a list with "), what, PW(" at ["), pw_digits(k), PW("]" EXPECTED)));
    }
    return pw_all(&list);
}

pw_answer answer_returned(JSValueConst value, pw_event *event) {
    if (JS_IsUndefined(value)) return pw_keep(event);
    if (JS_IsArray(value)) return list_returned(value);
    pw_list list = {0};
    if (output_of(value, &list)) return pw_all(&list);
    if (JS_HasException(cx)) return answer_thrown();
    return pw_error(pw_cat(PW("`transform` returned "), was_returned(value), PW(EXPECTED)));
}

/* --- What was thrown -------------------------------------------------------------------------------------------------------- */

/* A property as text; not there when it is no string, or empty. */
static pw_text text_property(JSValueConst object, const char *name) {
    JSValue value = JS_GetPropertyStr(cx, object, name);
    if (JS_IsException(value)) JS_FreeValue(cx, JS_GetException(cx));
    pw_text text = JS_IsString(value) ? text_shown(value) : (pw_text){NULL, 0};
    JS_FreeValue(cx, value);
    return text.len ? text : (pw_text){NULL, 0};
}

static pw_text without_end(pw_text text) {
    while (text.len && text.ptr[text.len - 1] == '\n') text.len--;
    return text;
}

pw_text exception_shown(JSValue exception) {
    pw_text shown;
    if (JS_IsError(exception)) {
        pw_text name = text_property(exception, "name"), message = text_property(exception, "message");
        pw_text stack = without_end(text_property(exception, "stack"));
        if (!name.ptr) name = PW("Error");
        shown = message.ptr ? pw_cat(name, PW(": "), message) : name;
        if (stack.len) shown = pw_cat(shown, PW("\n"), stack);
    } else if (JS_IsString(exception)) {
        shown = pw_cat(PW("uncaught \""), text_shown(exception), PW("\""));
    } else {
        shown = pw_cat(PW("uncaught "), JS_IsObject(exception) ? kind_of(exception) : text_shown(exception));
    }
    JS_FreeValue(cx, exception);
    return shown;
}

static pw_text message_of(JSValue failure) {
    pw_text message = text_property(failure, "message");
    JS_FreeValue(cx, failure);
    return message.ptr ? message : PW("no reason was given");
}

pw_answer answer_thrown(void) {
    JSValue exception = JS_GetException(cx);
    void *mark = JS_GetOpaque(exception, failure_class);
    if (mark == &reject_mark) return pw_reject(message_of(exception));
    if (mark == &retry_mark) return pw_retry(message_of(exception));
    return pw_error(exception_shown(exception));
}

/* A plain `Error` is what a script says; another kind is a mistake in the script, and its place matters. */
pw_text refusal_thrown(void) {
    JSValue exception = JS_GetException(cx);
    bool said = JS_GetOpaque(exception, failure_class) != NULL ||
                (JS_IsError(exception) && pw_same(text_property(exception, "name"), PW("Error")));
    if (said) return message_of(exception);
    if (JS_IsString(exception)) {
        pw_text text = text_shown(exception);
        JS_FreeValue(cx, exception);
        return text;
    }
    return exception_shown(exception);
}

pw_text exception_thrown(void) { return exception_shown(JS_GetException(cx)); }
