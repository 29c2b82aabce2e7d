"""The compiled engine: the hot loops in Cython, over kernels in C.

`loops` defines what is computed, to the bit; `equations` computes it over panels, and csrc the
tiles of a panel. `plan` lays out the memory and divides the operations among threads; `passes` runs
them, batch after batch or side by side, and `team` has the threads. `engine` holds the parameters
and runs inference, `training` has the optimiser's state and the steps. `samples` reads the caller's
arrays, and is the only module that checks them; `kernels` chooses the instruction set, `interrupts`
runs signal handlers, `loops_plan` runs everything on `loops`, and `tape` evaluates graphs.
"""
