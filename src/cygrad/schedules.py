"""The public name of `cygrad.training.schedules`."""

from cygrad.training.schedules import *  # noqa: F403 (the names of that module)
