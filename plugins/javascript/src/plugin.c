/* The plugin: `init` starts the engine and runs the script, `transform` calls it. */
#include "runtime.h"

JSRuntime *rt;
JSContext *cx;

/* What the script exports. */
static JSValue transform = {0};

static void start(void) {
    rt = engine_start();
    cx = JS_NewContext(rt);
    if (!cx) __builtin_trap();
    event_classes();
    answer_classes();
    modules_start();
    jobs_start();
    globals_start();
}

/* A function that the script exports; undefined when there is none. False: it is something else. */
static bool exported(JSValueConst exports, const char *name, JSValue *function) {
    *function = JS_GetPropertyStr(cx, exports, name);
    if (JS_IsException(*function)) JS_FreeValue(cx, JS_GetException(cx)), *function = JS_UNDEFINED;
    return JS_IsUndefined(*function) || JS_IsFunction(cx, *function);
}

static pw_text names_exported(JSValueConst exports) {
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(cx, &names, &count, exports, JS_GPN_STRING_MASK) < 0 || !count) return PW("exports nothing");
    pw_text list = PW("exports only ");
    for (uint32_t k = 0; k < count; k++) {
        JSValue name = JS_AtomToString(cx, names[k].atom);
        list = pw_cat(list, PW("`"), text_shown(name), k + 1 < count ? PW("`, ") : PW("`"));
        JS_FreeValue(cx, name);
    }
    JS_FreePropertyEnum(cx, names, count);
    return list;
}

/* Finds `transform`. */
static pw_refusal find_transform(JSValueConst exports, pw_text source) {
    const char *const names[] = {"transform", "default"};
    for (int k = 0; k < 2; k++) {
        if (!exported(exports, names[k], &transform))
            return pw_refuse(pw_cat(source, PW(": `"), pw_from(names[k]), PW("` is "), kind_of(transform), PW(", not a function")));
        if (!JS_IsUndefined(transform)) return pw_ready();
    }
    return pw_refuse(pw_cat(source, PW(": there is no `transform`: the script "), names_exported(exports),
                            PW("; write `export function transform(event) { … }`")));
}

/* The script is no plugin, whatever the config: `paddle` knows these words. */
static pw_refusal cannot_load(pw_text reason) { return pw_refuse(pw_cat(PW("the script cannot be loaded: "), reason)); }

/* Calls the script's `init`, if it has one. */
static pw_refusal call_init(JSValueConst exports, pw_text source, pw_text config) {
    JSValue init;
    if (!exported(exports, "init", &init))
        return cannot_load(pw_cat(source, PW(": `init` is "), kind_of(init), PW(", not a function")));
    if (JS_IsUndefined(init)) return pw_ready();
    JSValue value = json_read(config);
    JSValue returned = JS_Call(cx, init, JS_UNDEFINED, 1, (JSValueConst *)&value);
    JS_FreeValue(cx, value);
    JS_FreeValue(cx, init);
    bool done = !JS_IsException(returned) && jobs_settle(&returned, PW("the promise that `init` returned"));
    JS_FreeValue(cx, returned);
    return done ? pw_ready() : pw_refuse(refusal_thrown());
}

pw_refusal pw_init(pw_text config) {
    start();
    pw_text source;
    JSValue exports = modules_run(&source);
    if (JS_IsException(exports)) return cannot_load(exception_thrown());
    pw_refusal refusal = find_transform(exports, source);
    refusal = refusal.reason.ptr ? cannot_load(refusal.reason) : call_init(exports, source, config);
    JS_FreeValue(cx, exports);
    return refusal;
}

pw_answer pw_transform(pw_event *event) {
    JS_UpdateStackTop(rt);
    JSValue object = event_new(event);
    JSValue returned = JS_Call(cx, transform, JS_UNDEFINED, 1, (JSValueConst *)&object);
    bool done = !JS_IsException(returned) && jobs_settle(&returned, PW("the promise that `transform` returned"));
    pw_answer answer = done ? answer_returned(returned, event) : answer_thrown();
    JS_FreeValue(cx, returned);
    JS_FreeValue(cx, object);
    events_end();
    return answer;
}
