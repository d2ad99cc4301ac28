/* Texts between the interpreter and the host. */
#include <string.h>

#include "runtime.h"

PyObject *text_value(pw_text text) { return PyUnicode_DecodeUTF8(text.ptr, (Py_ssize_t)text.len, NULL); }

pw_text text_of(PyObject *string) {
    Py_ssize_t len = 0;
    const char *bytes = PyUnicode_AsUTF8AndSize(string, &len);
    return (pw_text){bytes, (size_t)len};
}

pw_text text_shown(PyObject *value) {
    PyObject *string = PyObject_Str(value);
    PyObject *bytes = string ? PyUnicode_AsEncodedString(string, "utf-8", "replace") : NULL;
    Py_XDECREF(string);
    if (!bytes) {
        PyErr_Clear();
        return PW("(it has no text)");
    }
    size_t len = (size_t)PyBytes_GET_SIZE(bytes);
    char *copy = pw_room(len);
    memcpy(copy, PyBytes_AS_STRING(bytes), len);
    Py_DECREF(bytes);
    return (pw_text){copy, len};
}
