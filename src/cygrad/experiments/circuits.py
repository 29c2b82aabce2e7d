"""Circuits: backpropagation gate by gate, in graphs small enough to compute by hand.

An expression is a circuit of gates. Each gate computes two things: its output for given operands,
and its local derivatives, the rates at which the output changes with each operand. Forward, from
left to right, every gate computes its output. Backward, from right to left, every gate multiplies
the gradient of its output by its local derivatives, and passes the products to its operands:

    ∂C/∂operand += ∂C/∂output · ∂output/∂operand

That is the chain rule. It is a sum because a value that several gates use affects the output
through each of them. This differentiates any expression, and a neural network is one.

References
----------
D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating
errors", Nature 323, 1986.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cygrad as cg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page
    from cygrad.graph import Node, Variable

    Array = NDArray[np.float64]

STEP = 1e-5  # h of a difference quotient, which evaluates at p + h and p − h


def run(page: Page) -> None:
    """Show one circuit after the other, from a single gate to whole arrays."""
    single_gates(page)
    chain(page)
    neuron(page)
    elementary_neuron(page)
    fraction(page)
    patterns(page)
    apples(page)
    apples_and_oranges(page)
    matrices(page)
    one_path(page)
    two_paths(page)
    scale(page)


def single_gates(page: Page) -> None:
    page.title("A1  Three gates")
    page.text(
        """The derivative says how much the output changes when an operand does, by a little. If x
        of x·y grows by h the product grows by y·h, so ∂(xy)/∂x = y: each factor gets the other one.
        Of a sum both derivatives are 1, whatever the operands. And max(x, y) is its larger operand:
        that one's derivative is 1, the other's 0."""
    )
    x, y = variables(x=4, y=-3)
    for name, f in (("mul", x * y), ("add", x + y), ("max", cg.graph.max(x, y))):
        show(page, f"A1 {name}", f.named("f"), x, y)
        page.circuit(f"A1-{name}", f)
    page.text(
        """In the drawings the value of a wire stands above it in green, and below it in red the
        gradient: the derivative of what comes out at the right end by what is on this wire."""
    )


def chain(page: Page) -> None:
    page.title("A2  Two gates: the chain rule")
    page.text(
        """f = (x + y)·z is a sum q = x + y, and then a product f = q·z. What is known of single
        gates suffices. At the right end ∂f/∂f = 1. The product passes on to q what is on the other
        wire, z = −4, and to z the value of q, 3. Now the sum gets −4 at its output: it multiplies
        that by its local derivatives, 1 and 1, and passes −4 on to x and to y. It does not have to
        know what happened on its right."""
    )
    x, y, z = variables(x=-2, y=5, z=-4)
    q = (x + y).named("q")
    f = (q * z).named("f")
    show(page, "A2", f, q, x, y, z)
    page.circuit("A2", f)
    page.text(
        """A gradient is also advice. To make f larger x has to fall, since ∂f/∂x is negative; and
        f then rises four times as fast as x falls."""
    )


def neuron(page: Page) -> None:
    page.title("A3  A neuron")
    page.text(
        """Two inputs, weighted and added to a bias w₂, and the sigmoid of that: f = σ(w·x + w₂)
        with σ(z) = 1 / (1 + e⁻ᶻ). Any function with a known derivative may be a gate, however much
        is in it. That of the sigmoid is (1 − f)·f: one product, made of the output alone."""
    )
    z = weighted_sum(neuron_inputs()).named("z")
    f = cg.graph.sigmoid(z).named("f")
    show(page, "A3", f, z, *f.variables)
    page.circuit("A3", f)


def elementary_neuron(page: Page) -> None:
    page.title("A4  The same neuron of elementary gates")
    page.text(
        """What is in the sigmoid gate: ·(−1), exp, +1, 1/x. From the right, 1 comes in. The
        derivative of 1/x is −1/x², at x = 1.37 that is −0.53. Adding 1 changes no derivative, the
        exponential's is its own output 0.37, so −0.53 · 0.37 = −0.20, and ·(−1) turns that round:
        0.20. Each further sum passes 0.20 on to both sides. The four gates together have done what
        the one above did; where to draw the line between gates is a matter of convenience."""
    )
    z = weighted_sum(neuron_inputs()).named("z")
    minus = (-z).named("−z")
    power = cg.graph.exp(minus).named("e⁻ᶻ")
    total = (power + 1).named("1+e⁻ᶻ")
    f = (1 / total).named("f")
    for node in (z, minus, power, total):
        page.number(f"A4: {node.name}", as_float(node.value))
    show(page, "A4", f, total, power, minus, z, *f.variables)
    page.circuit("A4", f)


def fraction(page: Page) -> None:
    page.title("A5  A longer expression, in stages")
    page.text(
        """f = (x + σ(y)) / (σ(x) + (x + y)²). One could derive ∂f/∂x with pencil and paper, and get
        an expression much larger than f. Nobody has to. Computed in stages, every one of them has a
        derivative that is known by heart. Forward, all intermediate values are kept, since backward
        needs them again.

        Both x and y are used more than once. Where a wire splits, a change on it acts along all
        branches at the same time, and the effects add up: so do the gradients that come back along
        the branches."""
    )
    x, y = variables(x=3, y=-4)
    sigmoid_y = cg.graph.sigmoid(y).named("σ(y)")
    numerator = (x + sigmoid_y).named("num")
    sigmoid_x = cg.graph.sigmoid(x).named("σ(x)")
    total = (x + y).named("x+y")
    square = (total**2).named("(x+y)²")
    denominator = (sigmoid_x + square).named("den")
    inverse = cg.graph.reciprocal(denominator).named("1/den")
    f = (numerator * inverse).named("f")
    show(page, "A5", f, inverse, denominator, square, total, sigmoid_x, numerator, sigmoid_y, x, y)
    page.circuit("A5", f)


def patterns(page: Page) -> None:
    page.title("A6  Patterns: add distributes, max routes, mul swaps")
    page.text(
        """f = 2·(x·y + max(z, w)). A gradient of 2 comes to the sum, which gives it to both of its
        operands alike. The max gate sends all of it to the operand that was larger, z, and nothing
        to w: to change w by a little changes nothing. The product exchanges: x gets 2·y and y gets
        2·x. So a large input gives its weight a large gradient, and how inputs are scaled matters:
        see A11."""
    )
    x, y, z, w = variables(x=3, y=-4, z=2, w=-1)
    f = (2 * (x * y + cg.graph.max(z, w))).named("f")
    show(page, "A6", f, x, y, z, w)
    page.circuit("A6", f)


def apples(page: Page) -> None:
    page.title("A7  Apples")
    page.text(
        """Two apples for 100 each and a tax of 10 %. If an apple costs 1 more the bill grows by
        2.2, that is for two apples with their tax. One apple more makes 110. The gradient by the
        tax rate, 200, is the price before tax."""
    )
    price, count, tax = variables(price=100, count=2, tax=1.1)
    total = (price * count * tax).named("total")
    show(page, "A7", total, price, count, tax)
    page.circuit("A7", total)


def apples_and_oranges(page: Page) -> None:
    page.title("A8  Apples and oranges")
    page.text(
        """With three oranges for 150 each a sum comes in, which gives 1.1 to both kinds of fruit.
        For the apples nothing has changed: what else is in the basket does not matter to them."""
    )
    apple, apples, orange, oranges, tax = variables(
        **{"apple price": 100, "apples": 2, "orange price": 150, "oranges": 3, "tax": 1.1}
    )
    total = ((apple * apples + orange * oranges) * tax).named("total")
    show(page, "A8", total, apple, apples, orange, oranges, tax)
    page.circuit("A8", total)


def matrices(page: Page) -> None:
    page.title("A9  Whole arrays on a wire")
    page.text(
        """The layer of a network is one product D = W·X, here of W (5, 10) and X (10, 3), three
        samples in columns. With dD = ∂C/∂D, which has the shape of D, the gradients are

        dW = dD·Xᵀ and dX = Wᵀ·dD.

        There is no need to remember that: dW must have the shape of W, and of dD (5, 3) and X
        (10, 3) that is made in one way only. A number C to differentiate is Σ D². Its gradients are
        compared to difference quotients, (C(w + h) − C(w − h)) / 2h for every element w."""
    )
    rng = np.random.default_rng(0)
    W = cg.graph.Variable(rng.standard_normal((5, 10)), "W")
    X = cg.graph.Variable(rng.standard_normal((10, 3)), "X")
    D = (W @ X).named("D")
    C = (D**2).sum().named("C")
    quotients = {variable: difference_quotients(C, variable) for variable in (W, X)}
    C.backward()
    dD: Any = D.gradient
    by_rule = {W: dD @ np.transpose(X.value), X: np.transpose(W.value) @ dD}
    page.number("A9: C", as_float(C.value))
    for variable in (W, X):
        name = f"A9: d{variable.name}"
        gradient: Any = variable.gradient
        page.number(f"{name}, largest element", largest(gradient))
        page.number(f"{name}, off the rule by", largest(gradient - by_rule[variable]), digits=2)
        page.number(f"{name}, off quotients by", largest(gradient - quotients[variable]), digits=2)
    page.circuit("A9", C)


def one_path(page: Page) -> None:
    page.title("A10  The chain rule, one path and two")
    page.text(
        """One path: z = h(g(x)), here sin(x²). A change of x by dx changes g by g′(x)·dx, and that
        changes h by h′(g)·g′(x)·dx. Factors along a path multiply:

        dz/dx = dz/dg · dg/dx."""
    )
    (x,) = variables(x=1.5)
    g = (x**2).named("g")
    z = cg.graph.sin(g).named("z")
    compare(page, "A10", z, x)
    page.circuit("A10-one-path", z)


def two_paths(page: Page) -> None:
    page.text(
        """Two paths: z = k(g(s), h(s)), here s²·cos(s). The change of s reaches z through g and
        through h. Along each path factors multiply, and the paths are added:

        dz/ds = ∂z/∂g · dg/ds + ∂z/∂h · dh/ds."""
    )
    (s,) = variables(s=2.0)
    g = (s**2).named("g")
    h = cg.graph.cos(s).named("h")
    z = (g * h).named("z")
    compare(page, "A10", z, s)
    page.circuit("A10-two-paths", z)


def scale(page: Page) -> None:
    page.title("A11  The scale of the inputs")
    page.text(
        """The neuron of A3 again, up to its sum z, and the same with inputs in a unit a thousand
        times smaller. The product gates swap: a thousand times the input gives a thousand times the
        gradient by the weight, while that by the input, which is the weight, is as before."""
    )
    inputs = neuron_inputs()
    z = weighted_sum(inputs).named("z")
    z.backward()
    before = {each: as_float(each.gradient) for each in inputs}
    w0, x0, w1, x1, _ = inputs
    z.forward({x0: -1000, x1: -2000})
    z.backward()
    page.number("A11: z, inputs × 1000", as_float(z.value))
    for each in (w0, w1, x0, x1):
        ratio = as_float(each.gradient) / before[each]
        page.number(f"A11: ∂z/∂{each.name}, times that before", ratio)
    page.circuit("A11", z)
    page.text(
        """So with one learning rate the steps become a thousand times as long for the very weights
        that should change a thousand times less. The sigmoid makes it worse: at z = 3997 it is 1 to
        the last digit, its derivative 0, and nothing is left to learn from. Hence inputs are
        standardised before training."""
    )
    f = cg.graph.sigmoid(z).named("f")
    f.backward()
    page.number("A11: ∂f/∂w₀, inputs × 1000", as_float(w0.gradient))


def variables(**values: float) -> tuple[Variable, ...]:
    """Return one variable for each name."""
    return tuple(cg.graph.Variable(value, name) for name, value in values.items())


def neuron_inputs() -> tuple[Variable, ...]:
    """Return the weights, inputs and bias of A3: w₀, x₀, w₁, x₁, w₂."""
    return variables(**{"w₀": 2, "x₀": -1, "w₁": -3, "x₁": -2, "w₂": -3})


def weighted_sum(inputs: tuple[Variable, ...]) -> Node:
    """Return w₀·x₀ + w₁·x₁ + w₂."""
    w0, x0, w1, x1, w2 = inputs
    return w0 * x0 + w1 * x1 + w2


def show(page: Page, row: str, f: Node, *others: Node) -> None:
    """Print the value of f and its derivatives by other nodes, and draw it."""
    f.backward()
    page.number(f"{row}: {f.name}", as_float(f.value))
    for node in others:
        page.number(f"{row}: {derivative(f, node)}", as_float(node.gradient))


def compare(page: Page, row: str, f: Node, x: Variable) -> None:
    """Print the derivative by x, from backpropagation and from a difference quotient."""
    quotient = difference_quotients(f, x)
    f.backward()
    page.number(f"{row}: d{f.name}/d{x.name}", as_float(x.gradient))
    page.number(f"{row}: d{f.name}/d{x.name}, difference quotient", as_float(quotient))


def difference_quotients(f: Node, x: Variable) -> Array:
    """Return (f(x + h) − f(x − h)) / 2h for every element of x, changed one at a time."""
    value = np.array(x.value)
    quotients = np.empty_like(value)
    for index in np.ndindex(value.shape):
        h = np.zeros_like(value)
        h[index] = STEP
        rise = as_float(f.forward({x: value + h})) - as_float(f.forward({x: value - h}))
        quotients[index] = rise / (2 * STEP)
    f.forward({x: value})
    return quotients


def derivative(f: Node, node: Node) -> str:
    """Return the notation of the derivative of f by a node."""
    names = [str(each.name) for each in (f, node)]
    return "/".join(f"∂{name}" if name.isalnum() else f"∂({name})" for name in names)


def largest(array: Any) -> float:
    """Return the largest absolute value."""
    return float(np.abs(array).max())


def as_float(value: Any) -> float:
    """Return the value or the gradient of a scalar node as a float."""
    return float(value)
