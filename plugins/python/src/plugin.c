/* The plugin: `start` runs at build time and what it leaves in memory is the component; `init` runs the script, `transform` calls it. */
#include <stdlib.h>

#include "runtime.h"

/* The script's function. */
static PyObject *transform;

static void must(bool done) {
    if (done) return;
    if (PyErr_Occurred()) PyErr_Print();
    __builtin_trap();
}

static void settle(PyStatus status) {
    if (!PyStatus_Exception(status)) return;
    pw_text what = status.err_msg ? pw_from(status.err_msg) : PW("the interpreter did not start");
    fprintf(stderr, "%.*s: %s\n", (int)what.len, what.ptr, status.func ? status.func : "");
    __builtin_trap();
}

static void set(PyConfig *config, wchar_t **field, const wchar_t *text) { settle(PyConfig_SetString(config, field, text)); }

/* No files, no environment, and hashes that are the same in every build. */
static void start_interpreter(void) {
    PyPreConfig before;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    settle(Py_PreInitialize(&before));
    PyImport_FrozenModules = frozen_modules;
    must(PyImport_AppendInittab("_paddlewheel", module_start) == 0);
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.use_hash_seed = 1;
    config.hash_seed = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0;
    config.pathconfig_warnings = 0;
    config.code_debug_ranges = 0;
    config.module_search_paths_set = 1;
    set(&config, &config.program_name, L"paddlewheel");
    wchar_t **const places[] = {&config.home, &config.prefix, &config.exec_prefix, &config.base_prefix, &config.base_exec_prefix,
                                &config.executable, &config.base_executable, &config.platlibdir, &config.stdlib_dir};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) set(&config, places[k], L"");
    settle(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

static PyObject *part(PyObject *module, const char *name) {
    PyObject *object = PyObject_GetAttrString(module, name);
    must(object != NULL);
    return object;
}

__attribute__((export_name("start"))) void start(void) {
    start_interpreter();
    PyObject *module = PyImport_ImportModule("_paddlewheel_runtime");
    must(module != NULL);
    library = (library_parts){
        .absent = part(module, "ABSENT"), .refused = part(module, "Refused"), .reject = part(module, "Reject"),
        .retry = part(module, "Retry"), .output = part(module, "Output"), .parse = part(module, "parse"),
        .encode = part(module, "encode"), .told = part(module, "told"), .load = part(module, "load"),
        .loads = part(module, "loads"), .flush = part(module, "flush"),
    };
    Py_DECREF(module);
    /* What is there now stays: no collection looks at it. */
    PyObject *gc = PyImport_ImportModule("gc");
    must(gc != NULL);
    PyObject *collected = PyObject_CallMethod(gc, "collect", NULL), *frozen = PyObject_CallMethod(gc, "freeze", NULL);
    must(collected && frozen);
    Py_DECREF(collected);
    Py_DECREF(frozen);
    Py_DECREF(gc);
    host_is_there = true;
}

/* --- What was raised -------------------------------------------------------------------------------------------------- */

/* Takes the exception: its message, or that with the traceback. */
static pw_text raised(PyObject *exception, PyObject *shown_by) {
    PyObject *text = shown_by ? PyObject_CallOneArg(shown_by, exception) : Py_NewRef(exception);
    if (!text) {
        PyErr_Clear();
        text = Py_NewRef(exception);
    }
    pw_text shown = text_shown(text);
    Py_DECREF(text);
    Py_DECREF(exception);
    return shown;
}

/* Memory that cannot be had ends the instance: the host says that it was its limit, and the next event meets a fresh one. */
static PyObject *exception_taken(void) {
    PyObject *exception = PyErr_GetRaisedException();
    if (!exception || PyErr_GivenExceptionMatches(exception, PyExc_MemoryError)) __builtin_trap();
    return exception;
}

static pw_answer answer_raised(void) {
    PyObject *exception = exception_taken();
    if (PyErr_GivenExceptionMatches(exception, library.reject)) return pw_reject(raised(exception, NULL));
    if (PyErr_GivenExceptionMatches(exception, library.retry)) return pw_retry(raised(exception, NULL));
    return pw_error(raised(exception, library.told));
}

/* --- What was returned ------------------------------------------------------------------------------------------------ */

#define EXPECTED "transform returned a %.100s: it is an event, a list of events, or None"

static pw_answer mistaken(const char *format, PyObject *value) {
    PyErr_Format(PyExc_TypeError, format, Py_TYPE(value)->tp_name);
    return answer_raised();
}

/* An event, or an event and its route, as an output. False: it is neither, or an exception was raised. */
static bool output_of(PyObject *item, pw_list *list) {
    if (Py_IS_TYPE(item, &event_type)) {
        pw_event *event = event_of(item);
        if (event) pw_add(list, event);
        return event != NULL;
    }
    if (PyObject_IsInstance(item, library.output) != 1) return false;
    PyObject *object = PyObject_GetAttrString(item, "event"), *route = PyObject_GetAttrString(item, "route");
    pw_event *event = object && route && Py_IS_TYPE(object, &event_type) ? event_of(object) : NULL;
    if (event && route == Py_None) pw_add(list, event);
    else if (event) pw_add_to(list, event, text_shown(route));
    Py_XDECREF(object);
    Py_XDECREF(route);
    return event != NULL;
}

static pw_answer list_returned(PyObject *value) {
    PyObject *items = PySequence_Fast(value, "");
    if (!items) {
        if (Py_TYPE(value)->tp_iter || PySequence_Check(value)) return answer_raised();
        PyErr_Clear();
        return mistaken(EXPECTED, value);
    }
    pw_list list = {0};
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(items); k++) {
        PyObject *item = PySequence_Fast_GET_ITEM(items, k);
        if (output_of(item, &list)) continue;
        pw_answer answer = PyErr_Occurred()
                               ? answer_raised()
                               : mistaken("transform returned a list with a %.100s in it: it takes events", item);
        Py_DECREF(items);
        return answer;
    }
    Py_DECREF(items);
    return pw_all(&list);
}

static pw_answer answer_returned(PyObject *value, PyObject *object, pw_event *event) {
    if (value == Py_None || value == object) return pw_keep(event);
    if (PyUnicode_Check(value) || PyBytes_Check(value) || PyDict_Check(value))
        return mistaken(EXPECTED, value);
    pw_list list = {0};
    if (output_of(value, &list)) return pw_all(&list);
    if (PyErr_Occurred()) return answer_raised();
    return list_returned(value);
}

/* What was printed without a newline is a line all the same. */
static void flush(void) {
    PyObject *done = PyObject_CallNoArgs(library.flush);
    if (!done) Py_DECREF(exception_taken());
    Py_XDECREF(done);
}

/* --- The contract ----------------------------------------------------------------------------------------------------- */

/* `Reject` says what is wrong with the config; anything else is a mistake in the script, and its place matters. */
static pw_refusal refused(void) {
    PyObject *exception = exception_taken();
    return pw_refuse(raised(exception, PyErr_GivenExceptionMatches(exception, library.reject) ? NULL : library.told));
}

pw_refusal pw_init(pw_text config) {
    PyObject *loaded = PyObject_CallNoArgs(library.load);
    if (!loaded) {
        PyObject *exception = exception_taken();
        return pw_refuse(pw_cat(PW("the script cannot be loaded: "), raised(exception, library.told)));
    }
    transform = Py_NewRef(PyTuple_GET_ITEM(loaded, 0));
    PyObject *text = text_value(config), *value = text ? PyObject_CallOneArg(library.loads, text) : NULL;
    PyObject *done = value ? PyObject_CallOneArg(PyTuple_GET_ITEM(loaded, 1), value) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(value);
    Py_DECREF(loaded);
    pw_refusal refusal = done ? pw_ready() : refused();
    Py_XDECREF(done);
    flush();
    return refusal;
}

pw_answer pw_transform(pw_event *event) {
    PyObject *object = event_new(event);
    PyObject *returned = object ? PyObject_CallOneArg(transform, object) : NULL;
    pw_answer answer = returned ? answer_returned(returned, object, event) : answer_raised();
    Py_XDECREF(returned);
    Py_XDECREF(object);
    flush();
    events_end();
    return answer;
}
