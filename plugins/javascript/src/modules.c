/* Modules: the main script is the asset `script`; others are assets named by their path from the main script's folder. In stacks
 * and messages each is called by its source. */
#include <string.h>

#include "runtime.h"

static char *kept(pw_text text) {
    char *copy = js_malloc(cx, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return copy;
}

/* The modules that are files: the name of each, which is its source, and the asset. The main script's comes first. */
static struct {
    pw_text source, asset;
} *modules;
static size_t count, room;

/* Keeps both: what the host hands over while an event is transformed is gone with the call. */
static void know(pw_text source, pw_text asset) {
    for (size_t k = 0; k < count; k++)
        if (pw_same(modules[k].source, source)) return;
    if (count == room) {
        room = room ? 2 * room : 8;
        modules = js_realloc(cx, modules, room * sizeof *modules);
    }
    modules[count].source = pw_from(kept(source));
    modules[count++].asset = pw_from(kept(asset));
}

/* The asset of a module; the main script, which stands at the top of the folder, has the empty name. */
static pw_text asset_of(pw_text source) {
    for (size_t k = 0; k < count; k++)
        if (pw_same(modules[k].source, source)) return modules[k].asset;
    return PW("");
}

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
        THROW(TYPE_ERROR, from, PW(" imports \""), text,
              PW("\": only \"paddlewheel\" and files (\"./util.js\") can be imported; bundle packages into the script"));
        return NULL;
    }
    pw_text asset = joined(asset_of(from), text);
    if (!asset.ptr) {
        THROW(TYPE_ERROR, from, PW(" imports \""), text, PW("\", which leads out of the script's folder"));
        return NULL;
    }
    pw_text source = pw_asset_source(asset);
    if (!source.ptr) {
        pw_text others = other_files();
        THROW(TYPE_ERROR, from, PW(" imports \""), text, PW("\": there is no such file; "),
              others.len ? pw_cat(PW("there are: "), others) : PW("the script came with no other file"));
        return NULL;
    }
    know(source, asset);
    return kept(source);
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
    if (pw_same(pw_from(name), PW("paddlewheel"))) return answers_module();
    pw_text asset = asset_of(pw_from(name)), source = pw_asset(asset);
    return ends_with(asset, PW(".json")) ? data_module(source, name) : compiled(source, name);
}

void modules_start(void) { JS_SetModuleLoaderFunc2(rt, normalize, load, NULL, NULL); }

JSValue modules_run(pw_text *source) {
    pw_text script = pw_asset(PW("script"));
    if (!script.ptr)
        return THROW(TYPE_ERROR, PW("there is no script: the step needs `assets = { script = \"enrich.js\" }`, or the script as its `plugin`"));
    *source = pw_asset_source(PW("script"));
    if (!source->len) *source = PW("script");
    know(*source, PW(""));
    char *name = kept(*source);
    JSModuleDef *module = compiled(script, name);
    js_free(cx, name);
    if (!module) return JS_EXCEPTION;
    JSValue done = JS_EvalFunction(cx, JS_DupValue(cx, JS_MKPTR(JS_TAG_MODULE, module)));
    if (JS_IsException(done)) return done;
    bool settled = jobs_settle(&done, PW("what the script awaits"));
    JS_FreeValue(cx, done);
    return settled ? JS_GetModuleNamespace(cx, module) : JS_EXCEPTION;
}
