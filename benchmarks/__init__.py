"""Benchmarks of cygrad: check every result, then time it next to the peak of the processor.

``python -m benchmarks --help`` lists the sections; each is a module of this package that yields
rows for one table. `programs` holds the programs that are timed against each other. Only NumPy and
cygrad are required; other libraries take part if they are installed (``--peers``), and matplotlib
draws the chart.
"""
