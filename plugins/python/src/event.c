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

static bool counted(const char *method, Py_ssize_t given, Py_ssize_t wanted) {
    if (given == wanted) return true;
    PyErr_Format(PyExc_TypeError, "Event.%s takes %zd arguments, not %zd", method, wanted, given);
    return false;
}

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

/* What a method of one path and no change needs: `read` gives its answer, `event` and `path` being at hand. */
#define READER(name, read) \
    static PyObject *method_##name(PyObject *self, PyObject *argument) { \
        pw_event *event = event_of(self); \
        pw_text path; \
        if (!event || !string_argument(argument, "the path", &path)) return NULL; \
        pw_place place = pw_here(); \
        PyObject *answer = read; \
        pw_rewind(place); \
        return answer; \
    }

static PyObject *length_value(int64_t length) { return length < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(length); }

READER(text, optional_text(pw_get_text(event, path)))
READER(has, PyBool_FromLong(pw_has(event, path)))
READER(length, length_value(pw_length(event, path)))
READER(expand, texts_value(pw_expand(event, path)))
READER(remove, PyLong_FromUnsignedLong(pw_remove(event, path)))

static PyObject *method_get(PyObject *self, PyObject *const *arguments, Py_ssize_t count, PyObject *names) {
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    if (count + named < 1 || count + named > 2 || count < 1 ||
        (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "default"))) {
        PyErr_SetString(PyExc_TypeError, "Event.get takes a path, and what to answer when there is no such field (default)");
        return NULL;
    }
    pw_event *event = event_of(self);
    pw_text path;
    if (!event || !string_argument(arguments[0], "the path", &path)) return NULL;
    pw_place place = pw_here();
    pw_value value = pw_get(event, path);
    PyObject *answer = value.kind == PW_ABSENT && count + named == 2 ? Py_NewRef(arguments[1]) : value_read(value);
    pw_rewind(place);
    return answer;
}

static PyObject *method_keys(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    pw_event *event = event_of(self);
    pw_text path = PW("");
    if (!event || (count && !(counted("keys", count, 1) && string_argument(arguments[0], "the path", &path)))) return NULL;
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

static PyObject *method_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    pw_event *event = event_of(self);
    pw_text path, text, why = {NULL, 0};
    if (!event || !counted("set", count, 2) || !string_argument(arguments[0], "the path", &path)) return NULL;
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

static PyObject *method_replace_text(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    pw_event *event = event_of(self);
    pw_text pattern, text;
    if (!event || !counted("replace_text", count, 2) || !string_argument(arguments[0], "the pattern", &pattern) ||
        !string_argument(arguments[1], "the text", &text))
        return NULL;
    return PyLong_FromUnsignedLong(pw_replace_text(event, pattern, text));
}

static PyObject *method_rename(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    pw_event *event = event_of(self);
    pw_text path, to;
    if (!event || !counted("rename", count, 2) || !string_argument(arguments[0], "the path", &path) ||
        !string_argument(arguments[1], "the path", &to))
        return NULL;
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

static PyObject *method_derive(PyObject *self, PyObject *argument) {
    pw_event *event = event_of(self);
    Py_buffer bytes;
    if (!event || PyObject_GetBuffer(argument, &bytes, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *answer = event_new(pw_derive(event, (pw_text){bytes.len ? bytes.buf : "", (size_t)bytes.len}));
    PyBuffer_Release(&bytes);
    return answer;
}

static PyObject *method_to(PyObject *self, PyObject *route) { return PyObject_CallFunctionObjArgs(library.output, self, route, NULL); }

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

#define FAST(function) (PyCFunction)(void (*)(void))(function)
static PyMethodDef methods[] = {
    {"get", FAST(method_get), METH_FASTCALL | METH_KEYWORDS, NULL},
    {"text", method_text, METH_O, NULL},
    {"has", method_has, METH_O, NULL},
    {"keys", FAST(method_keys), METH_FASTCALL, NULL},
    {"length", method_length, METH_O, NULL},
    {"expand", method_expand, METH_O, NULL},
    {"set", FAST(method_set), METH_FASTCALL, NULL},
    {"replace_text", FAST(method_replace_text), METH_FASTCALL, NULL},
    {"remove", method_remove, METH_O, NULL},
    {"rename", FAST(method_rename), METH_FASTCALL, NULL},
    {"json", method_json, METH_NOARGS, NULL},
    {"data", method_data, METH_NOARGS, NULL},
    {"copy", method_copy, METH_NOARGS, NULL},
    {"derive", method_derive, METH_O, NULL},
    {"to", method_to, METH_O, NULL},
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
