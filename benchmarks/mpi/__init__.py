"""A training step on several MPI ranks: measured, next to PyTorch's, and predicted for clusters.

`section` has the table, `ranks` runs on every rank under mpiexec, `ddp` in PyTorch's processes,
`turns` starts both and lets them take turns, and `model` predicts what nobody here can measure.
"""
