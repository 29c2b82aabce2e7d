"""The choice of the kernels: one table of C functions per dtype and instruction set.

The best table is chosen at the first use, unless the environment variable ``CYGRAD_ISA`` or `select` names another.
"""

import os

import numpy as np

# The rows of the tables in csrc, in the order of their codes: names of activations and losses with the names of their
# properties (the `cg_property` of csrc/cygrad.h), and names of the update rules with the number of their states.
cdef dict _properties = {
    "needs_z": CG_NEEDS_Z,
    "cheap": CG_CHEAP,
    "increasing": CG_INCREASING,
    "whole_rows": CG_WHOLE_ROWS,
    "gives_delta": CG_GIVES_DELTA,
    "takes_classes": CG_TAKES_CLASSES,
    "takes_rows": CG_TAKES_ROWS,
    "decides_at_half": CG_DECIDES_AT_HALF,
    "corrects_moments": CG_CORRECTS_MOMENTS,
    "divides": CG_DIVIDES,
    "internal": CG_INTERNAL,
}


def _names_of(properties):
    return frozenset(name for name, bit in _properties.items() if properties & bit)


ACTIVATIONS = {
    cg_activation_name(code).decode(): _names_of(cg_activation_properties(code)) for code in range(CG_ACTIVATION_COUNT)
}
LOSSES = {cg_loss_name(code).decode(): _names_of(cg_loss_properties(code)) for code in range(CG_LOSS_COUNT)}
RULES = {cg_rule_name(code).decode(): cg_rule_states(code) for code in range(CG_RULE_COUNT)}

_selected = None


def available():
    """Return the names of the variants that this machine can run, the best first."""
    names = []
    cdef const cg_kernels *const *tables = cg_available_kernels()
    cdef Py_ssize_t i = 0
    while tables[i] != NULL:
        name = tables[i].isa.decode()
        if name not in names:
            names.append(name)
        i += 1
    return tuple(names)


def select(name=None):
    """Choose the variant of the engines that are made from now on; ``None``: that of ``CYGRAD_ISA``, or the best."""
    global _selected
    names = available()
    source = "isa"
    if name is None:
        source = "CYGRAD_ISA"
        name = os.environ.get("CYGRAD_ISA") or names[0]
    if name not in names:
        raise ValueError(f"{source} is {name!r}, expected one that this machine can run: {', '.join(names)}")
    _selected = name
    return name


cpdef str selected():
    """Return the name of the variant that new engines use."""
    return select() if _selected is None else _selected


ENGINES = ("kernels", "loops")
_engine = None


def select_engine(name=None):
    """Choose the kernels, or the plain loops that define their bits, for the networks that are made from now on.

    `name` is ``"kernels"`` or ``"loops"``, which is slow; ``None`` takes it from ``CYGRAD_ENGINE``, or the kernels.
    """
    global _engine
    source = "engine"
    if name is None:
        source = "CYGRAD_ENGINE"
        name = os.environ.get("CYGRAD_ENGINE") or ENGINES[0]
    if name not in ENGINES:
        raise ValueError(f"{source} is {name!r}, expected one of {', '.join(ENGINES)}")
    _engine = name
    return name


def selected_engine():
    """Return ``"kernels"`` or ``"loops"``, whichever new networks use."""
    return select_engine() if _engine is None else _engine


cdef const cg_kernels *table(str dtype) except NULL:
    """Return the selected variant's table for a dtype."""
    cdef const cg_kernels *const *tables = cg_available_kernels()
    cdef Py_ssize_t i = 0
    name = selected()
    while tables[i] != NULL:
        if tables[i].isa.decode() == name and tables[i].dtype.decode() == dtype:
            return tables[i]
        i += 1
    raise ValueError(f"dtype is {dtype!r}, expected 'float32' or 'float64'")


def evaluate(str name, x, double parameter=1):
    """Compute a function of the kernels, element by element: log, log1p or an activation except softmax.

    `x` is a float32 or float64 array; the result is a new array of its shape and dtype, by the selected instruction set.
    `parameter` is that of an activation that has one.
    """
    x = np.ascontiguousarray(x)
    cdef const cg_kernels *kernels = table(x.dtype.name)
    y = np.empty_like(x)
    cdef const unsigned char[::1] x_bytes = x.reshape(-1).view(np.uint8)
    cdef unsigned char[::1] y_bytes = y.reshape(-1).view(np.uint8)
    cdef unsigned long saved
    cdef int known = 0
    cdef bytes encoded = name.encode()
    cdef const char *c_name = encoded
    if x.size:
        with nogil:
            saved = cg_flush_denormals()
            known = kernels.function(c_name, parameter, x_bytes.shape[0] // kernels.itemsize, &x_bytes[0], &y_bytes[0])
            cg_restore_denormals(saved)
        if not known:
            raise ValueError(f"name is {name!r}, expected log, log1p or one of {', '.join(ACTIVATIONS)}")
    return y


def fma_peak(double seconds=0.2, str dtype="float32"):
    """Measure the peak of one core: 10⁹ floating-point operations per second of independent fused multiply-adds.

    Returns the best of several runs that take at least `seconds` in all, on the selected instruction set.
    """
    cdef const cg_kernels *kernels = table(dtype)
    cdef double sink, best = 0, started, elapsed, done, total = 0
    cdef Py_ssize_t rounds = 1
    with nogil:
        while total < seconds:
            started = cg_clock()
            done = kernels.multiply_adds(rounds, &sink)
            elapsed = cg_clock() - started
            total += elapsed
            if elapsed < 0.005:
                rounds *= 2
            elif done / elapsed > best:
                best = done / elapsed
    return best / 1e9
