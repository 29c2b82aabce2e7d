from cygrad._engine.plan cimport Plan


cdef class LoopsPlan(Plan):
    pass
