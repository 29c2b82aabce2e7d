"""The public name of `cygrad.network.loss_functions`."""

from cygrad.network.loss_functions import *  # noqa: F403 (the names of that module)
