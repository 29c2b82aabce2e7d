"""The estimators of cygrad.sklearn next to scikit-learn's, one thread each.

`section` and `scores` are the sections; `pair` makes and compares two estimators with the same
parameters, `fits` times whole fits, `calls` predictions, short fits and a search.
"""
