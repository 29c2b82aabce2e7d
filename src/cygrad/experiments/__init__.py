"""Experiments that show backpropagation in numbers and pictures, one command each.

``cygrad experiments run rbf`` on the command line, or

>>> import cygrad as cg
>>> page = cg.experiments.run("rbf", quiet=True)
>>> page.numbers["final cost"]
9.546067085068927

Each module is one experiment, written to be read. Its docstring explains it, and its function
``run(page)`` runs it with the public interface of cygrad only.

The experiments use the names of the equations: the cost C is the loss of `Network.evaluate`, and
layers are counted from 1, so the weights W¹ are those of ``net.layers[0]``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from cygrad.experiments.page import Page

__all__ = ["EXPERIMENTS", "Page", "run"]

#: The subject of each experiment by its name; its module has that name with underscores.
EXPERIMENTS = {
    "circuits": "small computational graphs, forward and backward, gate by gate",
    "why-backprop": "the time of numerical differentiation and of backpropagation",
    "rbf": "two weights and a Gaussian unit: the cost surface and the descent on it",
    "circles": "two circles that a hidden layer of three units makes separable",
    "softmax-surface": "the probability that softmax gives to one of two classes",
    "regression-to-network": "linear regression, logistic regression, one hidden layer",
    "vanishing": "the gradient from layer to layer of a deep network",
    "backward-network": "the backward pass drawn as a network run from right to left",
    "scale": "raw and standardised inputs: gradients and convergence",
    "digits": "handwritten digits: what is confused, and what the first layer sees",
}


def run(name: str, output: str | os.PathLike[str] | None = None, *, quiet: bool = False) -> Page:
    """Run an experiment and return its page of numbers.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`.
    output : str or os.PathLike, optional
        A folder for the pictures, created if it is missing; None draws no pictures. Circuits are
        SVG. All other pictures are PNG and need matplotlib; without it the page has only a hint,
        its text and its numbers.
    quiet : bool
        Whether to print nothing.

    Returns
    -------
    Page
        Its numbers, tables, and the paths of its pictures.

    Raises
    ------
    ValueError
        If there is no such experiment.
    OSError
        If the folder cannot be created or written to.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(EXPERIMENTS)}")
    page = Page(name, output, None if quiet else sys.stdout)
    import_module(f"{__name__}.{name.replace('-', '_')}").run(page)
    return page
