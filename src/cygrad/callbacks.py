"""The public name of `cygrad.training.callbacks`."""

from cygrad.training.callbacks import *  # noqa: F403 (the names of that module)
