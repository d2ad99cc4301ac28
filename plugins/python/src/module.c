/* The module `_paddlewheel`: what the library in Python asks of the host besides the event. */
#include "runtime.h"

static PyObject *function_write(PyObject *module, PyObject *arguments) {
    (void)module;
    int level;
    const char *text;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(arguments, "is#", &level, &text, &len)) return NULL;
    if (host_is_there) pw_log((pw_level)level, (pw_text){text, (size_t)len});
    Py_RETURN_NONE;
}

static PyObject *function_names(PyObject *module, PyObject *nothing) {
    (void)module, (void)nothing;
    pw_place place = pw_here();
    pw_texts names = pw_asset_names();
    PyObject *list = PyList_New(0);
    for (size_t k = 0; list && k < names.count; k++) {
        PyObject *name = text_value(names.items[k]);
        if (!name || PyList_Append(list, name) < 0) Py_CLEAR(list);
        Py_XDECREF(name);
    }
    pw_rewind(place);
    return list;
}

static PyObject *function_read(PyObject *module, PyObject *name) {
    (void)module;
    pw_text text = text_of(name);
    if (!text.ptr) return NULL;
    pw_place place = pw_here();
    pw_text asset = pw_asset(text);
    PyObject *answer = asset.ptr ? PyBytes_FromStringAndSize(asset.ptr, (Py_ssize_t)asset.len) : Py_NewRef(Py_None);
    pw_rewind(place);
    return answer;
}

static PyObject *function_source(PyObject *module, PyObject *name) {
    (void)module;
    pw_text text = text_of(name);
    if (!text.ptr) return NULL;
    pw_place place = pw_here();
    pw_text source = pw_asset_source(text);
    PyObject *answer = source.ptr ? text_value(source) : Py_NewRef(Py_None);
    pw_rewind(place);
    return answer;
}

static PyMethodDef functions[] = {
    {"write", function_write, METH_VARARGS, NULL},
    {"names", function_names, METH_NOARGS, NULL},
    {"read", function_read, METH_O, NULL},
    {"source", function_source, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_paddlewheel", .m_size = -1, .m_methods = functions,
};

PyObject *module_start(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module || PyModule_AddType(module, &event_type) < 0) return NULL;
    return module;
}
