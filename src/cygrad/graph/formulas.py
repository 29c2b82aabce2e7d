"""The docstring of each gate, as ``help`` shows it; the rules are in `gates`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

_BROADCAST = "Operands are broadcast together."
_EACH = "Computed for each element."
_TIES = "If both are equal, the first operand gets the gradient."
_AXIS = "`axis` is one axis or several; None, the default, means all."

#: Call, formula and notes of each gate.
FORMULAS: Mapping[str, tuple[str, str, str]] = {
    "add": ("add(a, b)", "a + b", _BROADCAST),
    "sub": ("sub(a, b)", "a − b", _BROADCAST),
    "mul": ("mul(a, b)", "a · b, element by element", _BROADCAST),
    "div": ("div(a, b)", "a / b", _BROADCAST),
    "power": ("power(a, b)", "aᵇ", f"a is above 0, or b is an integer. {_BROADCAST}"),
    "max": ("max(a, b)", "the larger operand", f"{_TIES} {_BROADCAST}"),
    "min": ("min(a, b)", "the smaller operand", f"{_TIES} {_BROADCAST}"),
    "neg": ("neg(a)", "−a", _EACH),
    "reciprocal": ("reciprocal(a)", "1 / a", _EACH),
    "abs": ("abs(a)", "|a|", f"{_EACH} Its slope at 0 is defined as 0."),
    "sqrt": ("sqrt(a)", "√a", f"{_EACH} There is no gradient at 0."),
    "exp": ("exp(a)", "eᵃ", _EACH),
    "log": ("log(a)", "ln a", f"{_EACH} The natural logarithm of numbers above 0."),
    "sin": ("sin(a)", "sin a", f"{_EACH} Angles are in radians."),
    "cos": ("cos(a)", "cos a", f"{_EACH} Angles are in radians."),
    "tanh": ("tanh(a)", "(eᵃ − e⁻ᵃ) / (eᵃ + e⁻ᵃ)", _EACH),
    "sigmoid": ("sigmoid(a)", "σ(a) = 1 / (1 + e⁻ᵃ)", _EACH),
    "relu": ("relu(a)", "max(a, 0)", f"{_EACH} Its slope at 0 is defined as 0."),
    "gaussian": ("gaussian(a)", "exp(−a²)", _EACH),
    "sum": ("sum(a, axis=None, keepdims=False)", "Σ a", _AXIS),
    "mean": ("mean(a, axis=None, keepdims=False)", "Σ a / n, of n elements", _AXIS),
    "matmul": (
        "matmul(a, b)",
        "a @ b, the product of matrices",
        "(m, k) by (k, n) is (m, n); a vector on the left is a row, one on the right a column; "
        "further leading axes are broadcast together, as in NumPy.",
    ),
    "transpose": (
        "transpose(a, axes=None)",
        "aᵀ",
        "`axes` is the new order of the axes; by default it is reversed.",
    ),
    "reshape": (
        "reshape(a, shape=...)",
        "the same elements, row by row, in another shape",
        "One size may be −1; it is computed from the others.",
    ),
    "log_sum_exp": (
        "log_sum_exp(a, axis=-1, keepdims=False)",
        "ln Σ eᵃ along an axis",
        "Without overflow, however large the elements are.",
    ),
    "softmax": ("softmax(a, axis=-1)", "eᵃ / Σ eᵃ along an axis", "The results add up to 1."),
    "cross_entropy": (
        "cross_entropy(a, t, axis=-1)",
        "−Σ t ln softmax(a) along an axis",
        "t are the true probabilities: 1 for the class of a sample and 0 for the others, or any "
        "that add up to 1. Both have gradients.",
    ),
}


def docstring_of(name: str) -> str | None:
    """Return the docstring of a gate, or None if it is not in the table."""
    if name not in FORMULAS:
        return None
    call, formula, notes = FORMULAS[name]
    notes = textwrap.fill(f"{notes} Operands are nodes, numbers and arrays.", 80)
    return f"{call}: {formula}.\n\n{notes}\n"
