"""The public name of `cygrad.network.initializers`."""

from cygrad.network.initializers import *  # noqa: F403 (the names of that module)
