"""Benchmarks of cygrad: every result is checked first, then timed next to what is possible.

``python -m benchmarks --help`` lists the sections; each is a module of this package that yields
rows for one table. The programs that are timed against each other live in
:mod:`benchmarks.programs`. Only the standard library, NumPy and cygrad itself are needed;
what else is installed takes part (``--peers``) or draws the chart (matplotlib).
"""
