/* Included before the C code of Theano 1.0.5's scan: what that knows of Python's insides and Python 3.11 has changed.
   It is used where an error's traceback is made; the loop itself needs none of it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>

/* Cython's short cuts through integers, strings, calls and thread states: the public functions do the same. */
#define CYTHON_USE_PYLONG_INTERNALS 0
#define CYTHON_USE_UNICODE_INTERNALS 0
#define CYTHON_FAST_PYCALL 0
#define CYTHON_FAST_THREAD_STATE 0

/* The beginning of a frame, private since 3.11: a traceback's line number is written there. */
struct _frame {
    PyObject_HEAD
    PyFrameObject *f_back;
    struct _PyInterpreterFrame *f_frame;
    PyObject *f_trace;
    int f_lineno;
};

/* A code object that only names a place. PyCode_New has more arguments since 3.11. */
#define PyCode_New(argcount, kwonlyargcount, nlocals, stacksize, flags, code, consts, names, varnames, freevars, \
                   cellvars, filename, name, firstlineno, lnotab) \
    PyCode_NewEmpty(PyUnicode_AsUTF8(filename), PyUnicode_AsUTF8(name), firstlineno)
