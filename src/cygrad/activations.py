"""The public name of `cygrad.network.activations`."""

from cygrad.network.activations import *  # noqa: F403 (the names of that module)
