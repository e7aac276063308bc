/* Lets the C code of theano.scan's loop, which Cython 0.28 made for older Pythons, compile for Python 3.11.
   shims.py has it included ahead of that code. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000 || PY_VERSION_HEX >= 0x030C0000
#error "for Python 3.11 only"
#endif

#include <frameobject.h>

/* Cython's short cuts through the insides of integers, strings, calls and the thread's state, which have changed. */
#define CYTHON_USE_PYLONG_INTERNALS 0
#define CYTHON_USE_UNICODE_INTERNALS 0
#define CYTHON_FAST_PYCALL 0
#define CYTHON_FAST_THREAD_STATE 0

/* A frame's members are no longer public; to show its own lines in tracebacks the code sets the last one here.
   They lie as in Include/internal/pycore_frame.h. */
struct _frame {
    PyObject_HEAD
    PyFrameObject *f_back;
    struct _PyInterpreterFrame *f_frame;
    PyObject *f_trace;
    int f_lineno;
};

/* Code objects have got more parts. The ones made here only name a function in tracebacks. */
#define PyCode_New(argcount, kwonlyargcount, nlocals, stacksize, flags, code, consts, names, varnames, freevars, \
                   cellvars, filename, name, firstlineno, lnotab) \
    PyCode_NewEmpty(PyUnicode_AsUTF8(filename), PyUnicode_AsUTF8(name), firstlineno)
