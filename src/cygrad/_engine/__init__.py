"""The compiled engine: the hot loops in Cython, over kernels in C.

Nothing here checks what a user passed but `samples`, which takes arrays in.
"""
