"""The public name of `cygrad.training.metrics`."""

from cygrad.training.metrics import *  # noqa: F403 (the names of that module)
