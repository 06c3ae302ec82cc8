/* A module of Python in C. Declares the part of Python's interface that it uses: headers are those of the machine's Python, not of WebAssembly's. */

typedef struct _object PyObject;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);

struct PyMethodDef {
  const char *name;
  PyCFunction call;
  int flags;
  const char *doc;
};

struct PyModuleDef {
  struct { long references; void *type, *init; long index; void *copy; } base;
  const char *name, *doc;
  long size;
  struct PyMethodDef *methods;
  void *slots, *traverse, *clear, *free;
};

PyObject *PyModule_Create2(struct PyModuleDef *, int);
long PyLong_AsLong(PyObject *);
PyObject *PyLong_FromLong(long);

static PyObject *triple(PyObject *self, PyObject *x) { return PyLong_FromLong(3 * PyLong_AsLong(x)); }

/* 8: one argument. */
static struct PyMethodDef methods[] = {{"triple", triple, 8, 0}, {0, 0, 0, 0}};
static struct PyModuleDef module = {{1, 0, 0, 0, 0}, "fast", 0, -1, methods, 0, 0, 0, 0};

__attribute__((visibility("default"))) PyObject *PyInit_fast(void) { return PyModule_Create2(&module, 1013); }
