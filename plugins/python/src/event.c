/* The class `Event`: what a script may ask of the event it holds. Each method is one call to the host. */
#include <string.h>

#include "runtime.h"

typedef struct event_object {
    PyObject_HEAD
    pw_event *event;
} event_object;

library_parts library;

/* The objects of this call's events: when it ends, they lead nowhere. */
static PyObject **objects;
static size_t object_count, object_room;

PyObject *event_new(pw_event *event) {
    if (object_count == object_room) {
        size_t room = object_room ? 2 * object_room : 16;
        PyObject **more = realloc(objects, room * sizeof *objects);
        if (!more) return PyErr_NoMemory();
        objects = more;
        object_room = room;
    }
    event_object *object = PyObject_New(event_object, &event_type);
    if (!object) return NULL;
    object->event = event;
    objects[object_count++] = Py_NewRef((PyObject *)object);
    return (PyObject *)object;
}

pw_event *event_of(PyObject *object) {
    pw_event *event = ((event_object *)object)->event;
    if (!event) PyErr_SetString(PyExc_RuntimeError, "this event's call is over: an event lives as long as the call that got it");
    return event;
}

void events_end(void) {
    while (object_count) {
        PyObject *object = objects[--object_count];
        ((event_object *)object)->event = NULL;
        Py_DECREF(object);
    }
}

/* A path, a pattern or a text that a method is given. */
static bool string_argument(PyObject *value, const char *what, pw_text *to) {
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s is a str, not %.100s", what, Py_TYPE(value)->tp_name);
        return false;
    }
    *to = text_of(value);
    return to->ptr != NULL;
}

/* A method's arguments, by position or by name: `names` ends with NULL, and what need not be given comes last and is left as it is. */
static bool arguments_of(const char *method, const char *const *names, Py_ssize_t needed, PyObject *const *given, Py_ssize_t count,
                         PyObject *keywords, PyObject **to) {
    Py_ssize_t most = 0, named = keywords ? PyTuple_GET_SIZE(keywords) : 0, found = 0;
    while (names[most]) most++;
    for (; found < count && found < most; found++) to[found] = given[found];
    for (Py_ssize_t k = 0; k < named; k++) {
        Py_ssize_t at = 0;
        while (at < most && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k), names[at])) at++;
        if (at < found || at == most) {
            PyErr_Format(PyExc_TypeError, "Event.%s: the argument '%U' is %s", method, PyTuple_GET_ITEM(keywords, k),
                         at == most ? "none of its own" : "given twice");
            return false;
        }
        to[at] = given[count + k];
    }
    for (Py_ssize_t k = 0; k < needed; k++)
        if (!to[k]) return PyErr_Format(PyExc_TypeError, "Event.%s: the argument '%s' is missing", method, names[k]), false;
    if (count <= most) return true;
    PyErr_Format(PyExc_TypeError, "Event.%s takes %zd arguments, not %zd", method, most, count + named);
    return false;
}

/* How such a method looks, and what it begins with. */
#define METHOD(name) \
    static PyObject *method_##name(PyObject *self, PyObject *const *given, Py_ssize_t given_count, PyObject *keywords)
#define ARGUMENTS(name, needed, ...) \
    static const char *const names[] = {__VA_ARGS__, NULL}; \
    PyObject *arguments[sizeof names / sizeof *names] = {NULL}; \
    pw_event *event = event_of(self); \
    if (!event || !arguments_of(#name, names, needed, given, given_count, keywords, arguments)) return NULL

static PyObject *optional_text(pw_text text) { return text.ptr ? text_value(text) : Py_NewRef(Py_None); }

static PyObject *texts_value(pw_texts texts) {
    PyObject *list = PyList_New((Py_ssize_t)texts.count);
    for (size_t k = 0; list && k < texts.count; k++) {
        PyObject *text = text_value(texts.items[k]);
        if (!text) Py_CLEAR(list);
        else PyList_SET_ITEM(list, (Py_ssize_t)k, text);
    }
    return list;
}

static PyObject *json_value(pw_text json) {
    PyObject *text = text_value(json);
    PyObject *value = text ? PyObject_CallOneArg(library.parse, text) : NULL;
    Py_XDECREF(text);
    return value;
}

static PyObject *value_read(pw_value value) {
    switch (value.kind) {
    case PW_ABSENT: return Py_NewRef(library.absent);
    case PW_NULL: return Py_NewRef(Py_None);
    case PW_BOOLEAN: return PyBool_FromLong(value.boolean);
    case PW_INTEGER: return PyLong_FromLongLong(value.integer);
    case PW_NUMBER: return PyFloat_FromDouble(value.number);
    case PW_TEXT: return text_value(value.text);
    case PW_JSON: return json_value(value.text);
    }
    __builtin_trap();
}

static PyObject *length_value(int64_t length) { return length < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(length); }

/* A method of one path: `read` gives its answer, `event` and `path` being at hand. */
#define READER(name, argument, read) \
    METHOD(name) { \
        ARGUMENTS(name, 1, argument); \
        pw_text path; \
        if (!string_argument(arguments[0], "the " argument, &path)) return NULL; \
        pw_place place = pw_here(); \
        PyObject *answer = read; \
        pw_rewind(place); \
        return answer; \
    }

READER(text, "path", optional_text(pw_get_text(event, path)))
READER(has, "path", PyBool_FromLong(pw_has(event, path)))
READER(length, "path", length_value(pw_length(event, path)))
READER(expand, "pattern", texts_value(pw_expand(event, path)))
READER(remove, "pattern", PyLong_FromUnsignedLong(pw_remove(event, path)))

METHOD(get) {
    ARGUMENTS(get, 1, "path", "default");
    pw_text path;
    if (!string_argument(arguments[0], "the path", &path)) return NULL;
    pw_place place = pw_here();
    pw_value value = pw_get(event, path);
    PyObject *answer = value.kind == PW_ABSENT && arguments[1] ? Py_NewRef(arguments[1]) : value_read(value);
    pw_rewind(place);
    return answer;
}

METHOD(keys) {
    ARGUMENTS(keys, 0, "path");
    pw_text path = PW("");
    if (arguments[0] && !string_argument(arguments[0], "the path", &path)) return NULL;
    pw_place place = pw_here();
    PyObject *answer = texts_value(pw_keys(event, path));
    pw_rewind(place);
    return answer;
}

static int contains(PyObject *self, PyObject *argument) {
    pw_event *event = event_of(self);
    pw_text path;
    if (!event || !string_argument(argument, "the path", &path)) return -1;
    return pw_has(event, path);
}

/* --- Changing --------------------------------------------------------------------------------------------------------- */

/* A value as the contract's. False: an exception was raised. `held` is to be given back. */
static bool value_of(PyObject *value, pw_value *to, PyObject **held) {
    *held = NULL;
    if (value == Py_None) return *to = pw_null(), true;
    if (PyBool_Check(value)) return *to = pw_boolean(value == Py_True), true;
    if (PyFloat_CheckExact(value)) return *to = pw_number(PyFloat_AS_DOUBLE(value)), true;
    if (PyLong_CheckExact(value)) {
        int beyond = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &beyond);
        if (!beyond) return *to = pw_integer(number), true;
    }
    *held = PyObject_CallOneArg(library.encode, value);
    if (!*held) return false;
    pw_text json = text_of(*held);
    if (!json.ptr) Py_CLEAR(*held);
    *to = pw_json_value(json);
    return json.ptr != NULL;
}

static PyObject *refused(pw_text why) {
    PyObject *text = text_value(why);
    if (text) PyErr_SetObject(library.refused, text);
    Py_XDECREF(text);
    return NULL;
}

/* The text of a str without halves of surrogate pairs; other values have none here. */
static bool plain_text(PyObject *value, pw_text *to) {
    if (!PyUnicode_CheckExact(value)) return false;
    *to = text_of(value);
    if (to->ptr) return true;
    PyErr_Clear();
    return false;
}

METHOD(set) {
    ARGUMENTS(set, 2, "path", "value");
    pw_text path, text, why = {NULL, 0};
    if (!string_argument(arguments[0], "the path", &path)) return NULL;
    pw_place place = pw_here();
    bool done;
    if (plain_text(arguments[1], &text)) {
        done = pw_try_set_text(event, path, text, &why);
    } else {
        pw_value value;
        PyObject *held;
        if (!value_of(arguments[1], &value, &held)) return NULL;
        /* Writing a value may run the author's code, which may end nothing but itself: the event is still there. */
        done = pw_try_set(event, path, value, &why);
        Py_XDECREF(held);
    }
    PyObject *answer = done ? Py_NewRef(Py_None) : refused(why);
    pw_rewind(place);
    return answer;
}

METHOD(replace_text) {
    ARGUMENTS(replace_text, 2, "pattern", "text");
    pw_text pattern, text;
    if (!string_argument(arguments[0], "the pattern", &pattern) || !string_argument(arguments[1], "the text", &text)) return NULL;
    return PyLong_FromUnsignedLong(pw_replace_text(event, pattern, text));
}

METHOD(rename) {
    ARGUMENTS(rename, 2, "path", "to");
    pw_text path, to;
    if (!string_argument(arguments[0], "the path", &path) || !string_argument(arguments[1], "the path", &to)) return NULL;
    return PyBool_FromLong(pw_rename(event, path, to));
}

/* --- The whole -------------------------------------------------------------------------------------------------------- */

static PyObject *method_json(PyObject *self, PyObject *nothing) {
    (void)nothing;
    pw_event *event = event_of(self);
    if (!event) return NULL;
    pw_place place = pw_here();
    PyObject *answer = optional_text(pw_json(event));
    pw_rewind(place);
    return answer;
}

static PyObject *method_data(PyObject *self, PyObject *nothing) {
    (void)nothing;
    pw_event *event = event_of(self);
    if (!event) return NULL;
    pw_place place = pw_here();
    pw_text data = pw_data(event);
    PyObject *answer = PyBytes_FromStringAndSize(data.ptr, (Py_ssize_t)data.len);
    pw_rewind(place);
    return answer;
}

static PyObject *method_copy(PyObject *self, PyObject *nothing) {
    (void)nothing;
    pw_event *event = event_of(self);
    return event ? event_new(pw_copy(event)) : NULL;
}

METHOD(derive) {
    ARGUMENTS(derive, 1, "data");
    Py_buffer bytes;
    if (PyObject_GetBuffer(arguments[0], &bytes, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *answer = event_new(pw_derive(event, (pw_text){bytes.len ? bytes.buf : "", (size_t)bytes.len}));
    PyBuffer_Release(&bytes);
    return answer;
}

METHOD(to) {
    ARGUMENTS(to, 1, "route");
    (void)event;
    return PyObject_CallFunctionObjArgs(library.output, self, arguments[0], NULL);
}

static PyObject *get_id(PyObject *self, void *what) {
    pw_event *event = event_of(self);
    if (!event) return NULL;
    pw_place place = pw_here();
    PyObject *answer = text_value(what ? pw_partition_key(event) : pw_id(event));
    pw_rewind(place);
    return answer;
}

static PyObject *get_arrived(PyObject *self, void *what) {
    (void)what;
    pw_event *event = event_of(self);
    return event ? PyLong_FromUnsignedLongLong(pw_arrived_at_ms(event)) : NULL;
}

#define FAST(name) {#name, (PyCFunction)(void (*)(void))method_##name, METH_FASTCALL | METH_KEYWORDS, NULL}
static PyMethodDef methods[] = {
    FAST(get),
    FAST(text),
    FAST(has),
    FAST(keys),
    FAST(length),
    FAST(expand),
    FAST(set),
    FAST(replace_text),
    FAST(remove),
    FAST(rename),
    FAST(derive),
    FAST(to),
    {"json", method_json, METH_NOARGS, NULL},
    {"data", method_data, METH_NOARGS, NULL},
    {"copy", method_copy, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"id", get_id, NULL, NULL, NULL},
    {"partition_key", get_id, NULL, NULL, "key"},
    {"arrived_at_ms", get_arrived, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PySequenceMethods sequence = {.sq_contains = contains};

PyTypeObject event_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "paddlewheel.Event",
    .tp_basicsize = sizeof(event_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "One event: a record from the stream, or one part of an aggregated record.",
    .tp_methods = methods,
    .tp_getset = attributes,
    .tp_as_sequence = &sequence,
};
