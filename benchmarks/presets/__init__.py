"""The presets for tables next to other networks and to boosted trees, on real data sets.

`section` is the section; `data` has the data sets, `networks` the contestants of cygrad, `peers`
those of scikit-learn, `contest` the splits and the checks, `scores` the statistics.
"""
