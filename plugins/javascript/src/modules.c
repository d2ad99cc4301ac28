/* Modules: the main script is the asset `script`; others are assets named by their path from the main script's folder. */
#include <string.h>

#include "runtime.h"

/* The main script's file name, which is its module's name: stacks show it. */
static pw_text main_name;

/* The files there are besides the main script, for messages. */
static pw_text other_files(void) {
    pw_texts names = pw_asset_names();
    pw_text list = PW("");
    for (size_t k = 0; k < names.count; k++) {
        if (pw_same(names.items[k], PW("script"))) continue;
        list = list.len ? pw_cat(list, PW(", "), names.items[k]) : names.items[k];
    }
    return list;
}

static char *kept(pw_text text) {
    char *copy = js_malloc(cx, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return copy;
}

/* `name` from the folder of `base`, without `.` and `..`; a text that is not there leads out of the folder. */
static pw_text joined(pw_text base, pw_text name) {
    char *path = pw_room(base.len + name.len + 2);
    size_t len = base.len;
    memcpy(path, base.ptr, len);
    while (len && path[len - 1] != '/') len--;
    while (name.len) {
        size_t part = 0;
        while (part < name.len && name.ptr[part] != '/') part++;
        if (part == 2 && !memcmp(name.ptr, "..", 2)) {
            if (!len) return (pw_text){NULL, 0};
            len--;
            while (len && path[len - 1] != '/') len--;
        } else if (part && !(part == 1 && name.ptr[0] == '.')) {
            memcpy(path + len, name.ptr, part);
            len += part;
            if (part < name.len) path[len++] = '/';
        }
        size_t past = part < name.len ? part + 1 : part;
        name.ptr += past;
        name.len -= past;
    }
    return (pw_text){path, len};
}

static char *normalize(JSContext *context, const char *base, const char *name, void *opaque) {
    (void)context, (void)opaque;
    pw_text text = pw_from(name), from = pw_from(base);
    if (pw_same(text, PW("paddlewheel"))) return kept(text);
    if (name[0] != '.') {
        THROW(TYPE_ERROR, PW("`"), from, PW("` imports \""), text,
              PW("\": only \"paddlewheel\" and files (\"./util.js\") can be imported; bundle packages into the script"));
        return NULL;
    }
    pw_text path = joined(pw_same(from, main_name) ? PW("") : from, text);
    if (path.ptr) return kept(path);
    THROW(TYPE_ERROR, PW("`"), from, PW("` imports \""), text, PW("\", which leads out of the script's folder"));
    return NULL;
}

static JSModuleDef *compiled(pw_text source, const char *name) {
    /* The engine reads to the zero behind the text. */
    pw_text text = pw_cat(source, PW("\0"));
    JSValue module = JS_Eval(cx, text.ptr, source.len, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module)) return NULL;
    JSModuleDef *definition = JS_VALUE_GET_PTR(module);
    /* The context keeps its modules. */
    JS_FreeValue(cx, module);
    return definition;
}

static int fill_json(JSContext *context, JSModuleDef *module) {
    return JS_SetModuleExport(context, module, "default", JS_GetModulePrivateValue(context, module));
}

/* A file of data: `import table from "./table.json" with { type: "json" }`. */
static JSModuleDef *data_module(pw_text source, const char *name) {
    pw_text text = pw_cat(source, PW("\0"));
    JSValue value = JS_ParseJSON(cx, text.ptr, source.len, name);
    if (JS_IsException(value)) return NULL;
    JSModuleDef *module = JS_NewCModule(cx, name, fill_json);
    if (!module) return NULL;
    JS_AddModuleExport(cx, module, "default");
    JS_SetModulePrivateValue(cx, module, value);
    return module;
}

static bool ends_with(pw_text text, pw_text end) {
    return text.len >= end.len && !memcmp(text.ptr + text.len - end.len, end.ptr, end.len);
}

static JSModuleDef *load(JSContext *context, const char *name, void *opaque, JSValueConst attributes) {
    (void)context, (void)opaque, (void)attributes;
    pw_text asset = pw_from(name);
    if (pw_same(asset, PW("paddlewheel"))) return answers_module();
    pw_text source = pw_asset(asset);
    if (source.ptr) return ends_with(asset, PW(".json")) ? data_module(source, name) : compiled(source, name);
    pw_text others = other_files();
    THROW(TYPE_ERROR, PW("there is no file \""), asset, PW("\" with the script; "),
          others.len ? pw_cat(PW("there are: "), others) : PW("there is no other file"));
    return NULL;
}

void modules_start(void) { JS_SetModuleLoaderFunc2(rt, normalize, load, NULL, NULL); }

JSValue modules_run(pw_text *source) {
    pw_text script = pw_asset(PW("script"));
    if (!script.ptr)
        return THROW(TYPE_ERROR, PW("there is no script: the step needs `assets = { script = \"enrich.js\" }`, or the script as its `plugin`"));
    main_name = pw_asset_source(PW("script"));
    if (!main_name.len) main_name = PW("script");
    *source = main_name;
    char *name = kept(main_name);
    JSModuleDef *module = compiled(script, name);
    js_free(cx, name);
    if (!module) return JS_EXCEPTION;
    JSValue done = JS_EvalFunction(cx, JS_DupValue(cx, JS_MKPTR(JS_TAG_MODULE, module)));
    if (JS_IsException(done)) return done;
    bool settled = jobs_settle(&done, PW("what the script awaits"));
    JS_FreeValue(cx, done);
    return settled ? JS_GetModuleNamespace(cx, module) : JS_EXCEPTION;
}
